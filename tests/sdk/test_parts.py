"""Runs of a part of a pipeline, with what an earlier run has recorded."""

import subprocess
import sys
from pathlib import Path

import pytest

from runnable import (
    Catalog,
    ExecutionFailedError,
    Map,
    Pipeline,
    PythonJob,
    PythonTask,
    Stub,
    delete_runs,
    get_run_log,
    pickled,
)
from runnable.exceptions import (
    ConfigurationError,
    DefinitionError,
    EarlierInputsError,
    NodeNotFoundError,
    ParameterMissingError,
    ParameterUnknownError,
    RetryValidationError,
    RunLogNotFoundError,
)
from runnable.secrets import BaseSecrets

CALLS = []


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    CALLS.clear()


class Model:
    def __init__(self, factor):
        self.factor = factor


def load(rows):
    CALLS.append("load")
    Path("data.csv").write_text("x\n" * rows)
    return rows


def train(rows):
    CALLS.append("train")
    return Model(rows), 0.5


def predict(model, rows):
    CALLS.append("predict")
    return model.factor * rows + len(Path("data.csv").read_text().split())


def report(prediction):
    CALLS.append("report")
    return f"about {prediction}"


def build(**more):
    return Pipeline(
        name="daily",
        steps=[
            PythonTask(function=load, returns=["rows"], catalog=Catalog(put=["*.csv"])),
            PythonTask(function=train, returns=[pickled("model"), "rate"]),
            PythonTask(
                function=predict, returns=["prediction"], catalog=Catalog(get=["*.csv"])
            ),
            PythonTask(function=report, returns=["text"]),
        ],
        **more,
    )


@pytest.fixture
def earlier():
    run_log = build().execute(run_id="whole", parameters={"rows": 3})
    CALLS.clear()
    Path("data.csv").unlink()
    return run_log


@pytest.mark.parametrize(
    ("part", "calls"),
    [
        ({"from_": "predict"}, ["predict", "report"]),
        ({"from_": "train", "until": "predict"}, ["train", "predict"]),
        ({"only": "predict"}, ["predict"]),
        ({"only": ["predict", "train"]}, ["train", "predict"]),
        ({"only": ("train", "report")}, ["train", "report"]),
        ({"until": "train"}, ["load", "train"]),
        ({"from_": "report", "until": "report"}, ["report"]),
    ],
)
async def test_what_is_left_out_is_taken_from_an_earlier_run(part, calls, earlier):
    run_log = build().execute(**part, run_id="part", inputs_from="whole")
    assert calls == CALLS
    assert list(run_log.steps) == [*calls, "success"]
    if "report" in calls:
        assert run_log.outputs["text"] == "about 12"
    assert run_log.run_config["part"]["inputs_from"] == "whole"
    CALLS.clear()
    again = await build().execute_async(**part, run_id="again", inputs_from="whole")
    assert (CALLS, again.status) == (calls, "SUCCESS")


def test_its_results_stand_when_the_earlier_run_is_deleted(earlier):
    build().execute(from_="predict", run_id="part", inputs_from="latest")
    delete_runs(["whole"])
    run_log = get_run_log("part")
    assert run_log.parameters["model"].get_value().factor == 3
    # And another run can begin with them.
    second = build().execute(only="predict", run_id="second", inputs_from="part")
    assert second.outputs["prediction"] == 12


def test_given_parameters_win(earlier):
    pipeline = build()
    run_log = pipeline.execute(
        only="predict", inputs_from="whole", parameters={"rows": 10}
    )
    assert run_log.outputs["prediction"] == 33
    # A parameter of a step that is left out is no mistake.
    assert pipeline.execute(
        only="report", inputs_from="whole", parameters={"rows": 10}
    ).outputs == {"text": "about 12"}


def test_without_an_earlier_run_all_is_given():
    run_log = build().execute(only="report", parameters={"prediction": 7})
    assert run_log.outputs == {"text": "about 7"}
    with pytest.raises(ParameterMissingError, match="'prediction'"):
        build().execute(only="report")


def test_what_the_earlier_run_does_not_have_is_missing():
    build().execute(run_id="begun", parameters={"rows": 3}, until="train")
    CALLS.clear()
    with pytest.raises(ParameterMissingError, match="'prediction'"):
        build().execute(run_id="r1", from_="report", inputs_from="begun")
    with pytest.raises(RunLogNotFoundError):
        get_run_log("r1")
    with pytest.raises(RunLogNotFoundError):
        build().execute(from_="report", inputs_from="nowhere")
    assert CALLS == []


def test_an_earlier_run_that_failed():
    class Broken(RuntimeError):
        pass

    def fail():
        raise Broken

    def made(function):
        return Pipeline(
            steps=[
                PythonTask(name="load", function=lambda: 4, returns=["rows"]),
                PythonTask(name="use", function=function, returns=["y"]),
            ]
        )

    with pytest.raises(ExecutionFailedError):
        made(fail).execute(run_id="failed")
    mended = made(lambda rows: rows + 1)
    run_log = mended.execute(from_="use", inputs_from="failed")
    assert run_log.outputs == {"y": 5}


def test_a_part_that_fails_is_resumed_as_this_part(earlier):
    flag = Path("mended")

    def use(rows):
        CALLS.append("use")
        if not flag.exists():
            raise ValueError("not yet")
        return rows

    def made():
        steps = [*build().steps[:2], PythonTask(function=use, returns=["n"])]
        return Pipeline(name="daily", steps=steps)

    part = {"from_": "train", "inputs_from": "whole"}
    with pytest.raises(ExecutionFailedError):
        made().execute(run_id="r1", **part)
    flag.touch()
    with pytest.raises(RetryValidationError):
        made().execute(resume="r1")
    run_log = made().execute(resume="r1", **part)
    assert run_log.outputs["n"] == 3
    assert CALLS == ["train", "use", "use"]


@pytest.mark.parametrize(
    ("part", "error", "text"),
    [
        ({"only": "trian"}, NodeNotFoundError, "Did you mean 'train'"),
        ({"from_": "success"}, NodeNotFoundError, "no step 'success'"),
        ({"only": "train", "until": "train"}, DefinitionError, "the one or the others"),
        (
            {"from_": "predict", "until": "train"},
            DefinitionError,
            "does not come after",
        ),
        ({"only": 3}, ConfigurationError, "only"),
        ({"from_": 3}, ConfigurationError, "from_"),
    ],
)
def test_what_is_no_part_is_refused(part, error, text):
    with pytest.raises(error, match=text):
        build().execute(run_id="r1", **part)
    with pytest.raises(RunLogNotFoundError):
        get_run_log("r1")


def test_a_job_has_no_parts():
    with pytest.raises(DefinitionError, match="a job is one task"):
        PythonJob(function=lambda: 1).execute(only="x")


def test_failure_paths_of_the_steps_are_kept():
    def fail():
        raise ValueError

    mend = Stub(name="mend").as_pipeline()
    pipeline = Pipeline(
        steps=[
            Stub(name="a"),
            PythonTask(name="b", function=fail, on_failure=mend),
            Stub(name="c"),
        ]
    )
    run_log = pipeline.execute(only="b")
    assert list(run_log.steps) == ["b", "mend", "success"]


def test_branches_are_run_whole(earlier):
    def use(x, rows):
        return x * rows

    branch = PythonTask(name="s", function=use, returns=["y"]).as_pipeline()
    each = Map(name="each", branch=branch, iterate_on="xs", iterate_as="x")
    pipeline = Pipeline(steps=[*build().steps[:2], each])
    run_log = pipeline.execute(
        from_="each", inputs_from="whole", parameters={"xs": [1, 2]}
    )
    assert run_log.outputs["y"] == [3, 6]
    # Nor is a step of a branch anything but alone.
    assert pipeline.step("each.1.s").run(x=5, rows=2).outputs == {"y": 10}


def test_objects_in_memory_cannot_be_taken():
    services = {
        "run_log_store": {"type": "file-system"},
        "catalog": {"type": "do-nothing"},
    }
    build().execute(
        run_id="whole", parameters={"rows": 3}, services=services, until="train"
    )
    with pytest.raises(EarlierInputsError, match="kept 'model' in memory only"):
        build().execute(only="predict", inputs_from="whole", services=services)


def test_a_file_that_is_gone_fails_the_run(earlier):
    for file in Path(".catalog/whole").rglob("data.csv"):
        file.unlink()
    with pytest.raises(ExecutionFailedError, match="step 'predict'"):
        build().execute(run_id="r1", only="predict", inputs_from="whole")
    assert get_run_log("r1").status == "FAIL"
    assert CALLS == []


class Vault(BaseSecrets):
    service_name: str = "vault"

    def get(self, name):
        return "s3cr3t-value"


def test_a_secret_that_was_returned_is_not_taken():
    def leak(secret):
        return "s3cr3t-value"

    steps = [
        PythonTask(
            name="leak",
            function=lambda: "s3cr3t-value",
            returns=["x"],
            secrets=["TOKEN"],
        ),
        PythonTask(name="use", function=lambda x: x),
    ]
    services = {"secrets": Vault()}
    pipeline = Pipeline(steps=steps)
    pipeline.execute(run_id="whole", services=services)
    with pytest.raises(ParameterMissingError, match=r"'x'.*it had a secret in it"):
        pipeline.execute(only="use", inputs_from="whole", services=services)


class TestOneStep:
    def test_is_run_with_its_inputs(self):
        run_log = build().step("report").run(prediction=3)
        assert run_log.outputs == {"text": "about 3"}
        assert list(run_log.steps) == ["report", "success"]
        with pytest.raises(ParameterUnknownError):
            build().step("report").run(predicton=3)

    def test_gets_objects_from_an_earlier_run(self, earlier):
        run_log = build().step("predict").execute(inputs_from="whole")
        assert run_log.outputs == {"prediction": 12}

    def test_has_to_be_there(self):
        for path in ("reprot", "report.x", "success"):
            with pytest.raises(NodeNotFoundError):
                build().step(path)

    def test_of_the_whole(self):
        assert build().run(rows=2).outputs["text"] == "about 6"


SCRIPT = """
from runnable import Pipeline, PythonTask

def first(): return 2
def second(x): return 10 * x
def third(y): print("third got", y)

def build():
    steps = [PythonTask(function=first, returns=["x"]),
             PythonTask(function=second, returns=["y"]), PythonTask(function=third)]
    return Pipeline(steps=steps)

if __name__ == "__main__":
    build().execute()
"""


def command_line(*arguments):
    command = [sys.executable, "-m", "runnable.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_command_line():
    Path("flow.py").write_text(SCRIPT)
    assert command_line("execute", "flow.py", "whole").returncode == 0
    done = command_line(*(
        "execute",
        "flow.py",
        "part",
        "--from",
        "second",
        "--inputs-from",
        "who",
    ))
    assert done.returncode == 0, done.stderr
    assert list(get_run_log("part").steps) == ["second", "third", "success"]
    done = command_line(*(
        "execute",
        "flow.py",
        "part2",
        "--to",
        "second",
        "--param",
        "x=1",
    ))
    assert list(get_run_log("part2").steps) == ["first", "second", "success"]
    done = command_line("execute", "flow.py", "--only", "secnd")
    assert done.returncode == 2
    assert "Did you mean 'second'?" in done.stderr
    assert "Traceback" not in done.stderr


def test_retry_goes_on_with_the_part():
    Path("flow.py").write_text(
        SCRIPT.replace('print("third', 'open("mended"); print("third')
    )
    command_line("execute", "flow.py", "whole")
    part = ("--from", "third", "--inputs-from", "whole")
    assert command_line("execute", "flow.py", "part", *part).returncode == 1
    Path("mended").touch()
    done = command_line("retry", "part")
    assert done.returncode == 0, done.stderr
    assert list(get_run_log("part").steps) == ["third", "fail", "success"]


class TestOnlyWhatWasThere:
    """A part begins with what its steps were given, not with what came later."""

    def counting(self):
        def start(n):
            return n

        def more(x):
            return x + 1

        steps = [PythonTask(function=start, returns=["x"])]
        steps += [
            PythonTask(name=f"more{n}", function=more, returns=["x"]) for n in "12"
        ]
        return Pipeline(steps=steps)

    @pytest.mark.parametrize(
        "part", [{"only": "more1"}, {"from_": "more1", "until": "more1"}]
    )
    def test_of_a_step_that_others_follow(self, part):
        self.counting().execute(run_id="whole", parameters={"n": 1})
        run_log = self.counting().execute(**part, inputs_from="whole")
        assert run_log.outputs == {"x": 2}
        alone = self.counting().step("more1").execute(inputs_from="whole")
        assert alone.outputs == {"x": 2}

    def test_of_a_step_in_between(self):
        self.counting().execute(run_id="whole", parameters={"n": 1})
        part = self.counting().execute(only="more2", inputs_from="whole")
        assert part.outputs == {"x": 3}
        # What both are given is what the first one was given.
        both = self.counting().execute(only=["start", "more2"], inputs_from="whole")
        assert both.outputs == {"x": 2}

    def test_of_a_step_in_a_branch(self):
        def each(x, y):
            return x + y

        branch = PythonTask(function=each, returns=["y"]).as_pipeline()
        pipeline = Pipeline(
            steps=[
                PythonTask(name="y", function=lambda: 100, returns=["y"]),
                Map(name="m", iterate_on="xs", iterate_as="x", branch=branch),
            ]
        )
        pipeline.execute(run_id="whole", parameters={"xs": [1]})
        run_log = pipeline.step("m.1.each").execute(
            inputs_from="whole", parameters={"x": 1}
        )
        assert run_log.outputs == {"y": 101}

    def test_a_file_that_was_replaced_later_is_not_what_it_was(self):
        def write(text):
            return lambda: Path("a.txt").write_text(text) and None

        def read():
            return Path("a.txt").read_text()

        def made():
            get, put = Catalog(get=["a.txt"]), Catalog(put=["a.txt"])
            return Pipeline(
                steps=[
                    PythonTask(name="one", function=write("one"), catalog=put),
                    PythonTask(function=read, returns=["text"], catalog=get),
                    PythonTask(name="two", function=write("two!"), catalog=put),
                ]
            )

        made().execute(run_id="whole")
        with pytest.raises(ExecutionFailedError, match=r"a\.txt"):
            made().execute(only="read", inputs_from="whole")


@pytest.mark.parametrize("where", ["error", "output"])
def test_secrets_in_objects_stay_masked(where):
    def make():
        return {"text": "s3cr3t-value"}

    def use(thing):
        if where == "error":
            raise ValueError(thing["text"])
        return str(thing)

    told = []
    pipeline = Pipeline(
        steps=[
            PythonTask(function=make, returns=[pickled("thing")], secrets=["TOKEN"]),
            PythonTask(function=use, returns=["y"]),
        ],
        on_failure=told.append,
    )
    services = {"secrets": Vault()}
    pipeline.execute(run_id="whole", services=services, until="make")
    for run_id, earlier in (("part", "whole"), ("again", "part")):
        given = {"run_id": run_id, "inputs_from": earlier, "services": services}
        try:
            text = str(pipeline.execute(only="use", **given).parameters)
        except ExecutionFailedError as error:
            text = str(error)
        assert "s3cr3t" not in text
    kept = [it.read_bytes() for it in Path(".run_log_store").rglob("*") if it.is_file()]
    assert kept
    assert not any(b"s3cr3t" in it for it in kept)
    assert "s3cr3t" not in str(told)
