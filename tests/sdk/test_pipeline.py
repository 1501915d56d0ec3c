"""Sequences, as authors write and run them."""

import functools
import json as jsonlib
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydantic import BaseModel

import runnable
from containers import RunContainer
from runnable import (
    Catalog,
    Fail,
    Pipeline,
    PythonTask,
    Stub,
    Success,
    get_run_log,
    json,
    metric,
    pickled,
)
from runnable.catalog.do_nothing import DoNothingCatalog
from runnable.exceptions import (
    BindingError,
    CatalogError,
    ConfigurationError,
    DefinitionError,
    ExecutionFailedError,
    GraphError,
    ParameterMissingError,
    ParametersFileError,
    RetryValidationError,
    ReturnsError,
    RunLogExistsError,
    RunLogNotFoundError,
    SecretNotFoundError,
    ServiceNotFoundError,
    SettingsError,
    ValueNotStorableError,
)
from tests.support.used import used_by


def one():
    return 1


def add(x: int, y: int = 10) -> int:
    return x + y


def boom():
    raise LookupError("no such patient")


def task(name, function, *returns, **more):
    return PythonTask(name=name, function=function, returns=list(returns), **more)


class Multiplier:
    def __init__(self, factor):
        self.factor = factor

    def times(self, x):
        return self.factor * x

    def __call__(self, x):
        return self.factor * x


def run_one(function, in_memory, **parameters):
    pipeline = Pipeline(steps=[task("s", function, "result")])
    run_log = pipeline.execute(parameters=parameters, services=in_memory)
    return run_log.parameters["result"].get_value()


def test_values_flow_by_name(in_memory):
    pipeline = Pipeline(
        name="sums",
        steps=[task("a", one, "x"), task("b", add, metric("z")), Stub(name="later")],
    )

    run_log = pipeline.execute(services=in_memory, tag="t", run_id="r1")

    assert run_log.status == "SUCCESS"
    assert (run_log.run_id, run_log.tag) == ("r1", "t")
    assert list(run_log.steps) == ["a", "b", "later", "success"]
    assert run_log.metrics == {"z": 11}
    attempt = run_log.steps["b"].attempts[0]
    assert attempt.input_parameters["x"].value == 1
    assert attempt.output_parameters["z"].value == 11
    assert list(attempt.input_parameters) == ["x"]
    assert attempt.duration.total_seconds() >= 0
    assert run_log.run_config["dag"]["name"] == "sums"
    assert run_log.steps["later"].step_type == "stub"


@pytest.mark.parametrize(
    "function",
    [
        lambda x: 3 * x,
        functools.partial(lambda factor, x: factor * x, 3),
        functools.partial(lambda factor, x: factor * x, factor=3),
        Multiplier(3).times,
        Multiplier(3),
        lambda x, /: 3 * x,
        lambda *, x: 3 * x,
        lambda **rest: 3 * rest["x"],
    ],
    ids=[
        "lambda",
        "partial",
        "keyword-partial",
        "method",
        "callable",
        "positional",
        "keyword",
        "rest",
    ],
)
def test_any_callable_is_a_task(function, in_memory):
    assert run_one(function, in_memory, x=14) == 42


def test_a_closure_keeps_its_variables(in_memory):
    seen = []

    def remember(x):
        seen.append(x)
        return len(seen)

    assert run_one(remember, in_memory, x=5) == 1
    assert seen == [5]


def test_a_coroutine_function_is_run(in_memory):
    async def answer(x: int) -> int:
        return x + 1

    assert run_one(answer, in_memory, x=41) == 42


async def test_a_synchronous_run_inside_a_running_loop(in_memory):
    async def answer() -> int:
        return 42

    assert run_one(answer, in_memory) == 42


async def test_an_asynchronous_run_mixes_both_kinds(in_memory):
    async def double(x: int) -> int:
        return 2 * x

    pipeline = Pipeline(steps=[task("a", one, "x"), task("b", double, "y")])

    run_log = await pipeline.execute_async(services=in_memory)

    assert run_log.parameters["y"].get_value() == 2


class Measure(BaseModel):
    value: float
    unit: str = "mm"


@dataclass
class Point:
    x: int


def test_models_and_dataclasses_are_stored_as_json(in_memory):
    def make():
        return Measure(value=1.5), Point(2)

    def use(m: Measure, p: Point) -> float:
        assert isinstance(p, Point)
        return m.value * p.x

    pipeline = Pipeline(steps=[task("a", make, "m", json("p")), task("b", use, "r")])

    run_log = pipeline.execute(services=in_memory)

    assert run_log.parameters["m"].value == {"value": 1.5, "unit": "mm"}
    assert run_log.parameters["r"].value == 3.0


def test_objects_are_loaded_from_the_returned_log_and_later():
    def make():
        return {"any": object}, 1

    pipeline = Pipeline(steps=[task("a", make, pickled("o"), "n")])

    run_log = pipeline.execute(run_id="r1")

    assert run_log.parameters["o"].value == "o"
    assert run_log.parameters["o"].get_value() == {"any": object}
    assert get_run_log("r1").parameters["o"].get_value() == {"any": object}
    assert sorted(path.name for path in Path().iterdir()) == [
        ".catalog",
        ".run_log_store",
    ]


def test_a_task_gets_a_copy_of_its_own(in_memory):
    def spoil(xs):
        xs.append(99)

    def use(xs):
        return len(xs)

    pipeline = Pipeline(steps=[task("a", spoil), task("b", use, "n")])

    run_log = pipeline.execute(parameters={"xs": [1, 2]}, services=in_memory)

    assert run_log.parameters["n"].value == 2
    assert run_log.parameters["xs"].value == [1, 2]


def test_a_failed_run_has_its_log_and_its_cause(in_memory):
    pipeline = Pipeline(steps=[task("a", one, "x"), task("b", boom), Stub(name="c")])

    with pytest.raises(ExecutionFailedError) as caught:
        pipeline.execute(run_id="r1", services=in_memory)

    error = caught.value
    assert error.run_id == "r1"
    assert isinstance(error.__cause__, LookupError)
    assert "in step 'b', attempt 1" in error.__cause__.__notes__
    assert str(error) == "Run 'r1' failed: step 'b': LookupError: no such patient"
    assert list(error.run_log.steps) == ["a", "b", "fail"]
    attempt = error.run_log.steps["b"].attempts[0]
    assert attempt.message == "LookupError: no such patient"
    assert "raise LookupError" in attempt.traceback
    assert error.run_log.steps["fail"].status == "SUCCESS"
    assert error.run_log.status == "FAIL"


def test_sys_exit_in_a_task_fails_its_step(in_memory):
    def leave():
        raise SystemExit(3)

    with pytest.raises(ExecutionFailedError) as caught:
        Pipeline(steps=[task("a", leave)]).execute(services=in_memory)

    assert isinstance(caught.value.__cause__, SystemExit)


def test_a_failure_path_may_end_well(in_memory):
    handler = Pipeline(steps=[task("repair", one, "fixed")])
    pipeline = Pipeline(
        steps=[task("a", boom, on_failure=handler), task("never", boom)]
    )

    run_log = pipeline.execute(services=in_memory)

    assert list(run_log.steps) == ["a", "repair", "success"]
    assert (run_log.status, run_log.steps["a"].status) == ("SUCCESS", "FAIL")


def test_a_failure_path_may_end_badly(in_memory):
    handler = Pipeline(steps=[Stub(name="tell", terminate_with_failure=True)])
    pipeline = Pipeline(steps=[task("a", boom, on_failure=handler)])

    with pytest.raises(ExecutionFailedError) as caught:
        pipeline.execute(services=in_memory)

    assert list(caught.value.run_log.steps) == ["a", "tell", "fail"]
    assert isinstance(caught.value.__cause__, LookupError)


def test_one_pipeline_may_handle_several_failures(in_memory):
    handler = Stub(name="tell").as_pipeline()
    pipeline = Pipeline(
        steps=[task("a", one, on_failure=handler), task("b", boom, on_failure=handler)]
    )

    assert list(pipeline.execute(services=in_memory).steps) == [
        "a",
        "b",
        "tell",
        "success",
    ]


def test_a_step_may_end_the_pipeline_in_failure(in_memory):
    pipeline = Pipeline(steps=[Stub(name="a", terminate_with_failure=True)])

    with pytest.raises(ExecutionFailedError) as caught:
        pipeline.execute(services=in_memory)

    assert caught.value.__cause__ is None
    assert "fail node" in str(caught.value)


def test_arrows_order_steps(in_memory):
    a, b, c = Stub(name="a"), Stub(name="b"), Stub(name="c")
    assert a >> c is c
    assert b << c is c
    pipeline = Pipeline(steps=[a, c, Stub(name="b", terminate_with_success=True)])

    assert list(pipeline.execute(services=in_memory).steps) == [
        "a",
        "c",
        "b",
        "success",
    ]
    with pytest.raises(DefinitionError, match="leads to 'c' already"):
        a >> b


def test_steps_are_values_that_pipelines_share(in_memory):
    shared = task("a", one, "x")
    first = Pipeline(steps=[shared, task("b", add, "y")])
    second = Pipeline(steps=[Stub(name="before"), shared])

    assert list(first.execute(services=in_memory).steps) == ["a", "b", "success"]
    assert list(second.execute(services=in_memory).steps) == ["before", "a", "success"]
    assert shared.next_node == ""


def test_files_go_to_the_catalog_and_come_back():
    def write():
        Path("data").mkdir()
        Path("data/rows.csv").write_text("1,2")

    def forget():
        Path("data/rows.csv").unlink()

    def read():
        return Path("data/rows.csv").read_text()

    pipeline = Pipeline(
        steps=[
            task("write", write, catalog=Catalog(put=["data/*.csv"])),
            task("forget", forget),
            task("read", read, "text", catalog=Catalog(get=["**/*"])),
        ]
    )

    run_log = pipeline.execute(run_id="r1")

    assert run_log.parameters["text"].value == "1,2"
    assert Path(".catalog/r1/data/rows.csv").read_text() == "1,2"
    put, got = (
        run_log.steps["write"].data_catalog[0],
        run_log.steps["read"].data_catalog,
    )
    assert (put.name, put.stage, put.catalog_relative_path) == (
        "data/rows.csv",
        "put",
        "r1/data/rows.csv",
    )
    assert [(entry.name, entry.stage) for entry in got] == [("data/rows.csv", "get")]
    assert got[0].data_hash == put.data_hash


def test_a_step_that_prints_or_fails_has_an_execution_log():
    def talk():
        print("hello from the step")

    steps = [task("a b", talk), task("silent", lambda: None), task("c", boom)]

    with pytest.raises(ExecutionFailedError):
        Pipeline(steps=steps).execute(run_id="r1")

    logs = {path.name[:-17]: path for path in Path(".catalog/r1").iterdir()}
    assert sorted(logs) == ["ab", "c"]
    assert logs["ab"].read_text() == "hello from the step\n"
    assert "LookupError: no such patient" in logs["c"].read_text()


def test_the_environment_of_a_step(monkeypatch):
    import os

    monkeypatch.setenv("TOKEN", "s3cret")

    def look():
        names = (
            "RUNNABLE_RUN_ID",
            "RUNNABLE_STEP_ATTEMPT",
            "RUNNABLE_RUN_TAG",
            "TOKEN",
        )
        assert dict(os.environ)["RUNNABLE_RUN_ID"] == os.getenv("RUNNABLE_RUN_ID")
        return {name: os.environ[name] for name in names}

    pipeline = Pipeline(steps=[task("a", look, "seen", secrets=["TOKEN"])] * 1)

    run_log = pipeline.execute(run_id="r1", tag="nightly")

    assert run_log.parameters["seen"].value == {
        "RUNNABLE_RUN_ID": "r1",
        "RUNNABLE_STEP_ATTEMPT": "1",
        "RUNNABLE_RUN_TAG": "nightly",
        "TOKEN": "***",
    }
    assert "RUNNABLE_RUN_ID" not in os.environ
    assert os.environ["TOKEN"] == "s3cret"


class TestParameters:
    """Argument over environment over file."""

    def test_precedence(self, monkeypatch, in_memory):
        Path("p.yaml").write_text("a: 1\nb: 1\ncamelCase: 1\nwhen: 2026-01-31\n")
        monkeypatch.setenv("RUNNABLE_PRM_B", "2")
        monkeypatch.setenv("RUNNABLE_PRM_CAMELCASE", "[2]")
        monkeypatch.setenv("RUNNABLE_PRM_TEXT", "plain")

        run_log = Pipeline(steps=[Stub(name="s")]).execute(
            parameters_file="p.yaml", parameters={"a": 3}, services=in_memory
        )

        values = {name: it.value for name, it in run_log.parameters.items()}
        assert values == {
            "a": 3,
            "b": 2,
            "camelCase": [2],
            "when": "2026-01-31",
            "text": "plain",
        }

    def test_the_file_may_be_named_by_the_environment(self, monkeypatch, in_memory):
        Path("p.yaml").write_text("x: 5\n")
        monkeypatch.setenv("RUNNABLE_PARAMETERS_FILE", "p.yaml")

        pipeline = Pipeline(steps=[task("a", add, "y")])

        assert pipeline.execute(services=in_memory).parameters["y"].value == 15

    @pytest.mark.parametrize("content", ["- 1\n", "a: [\n", "a: !!python/object:x y\n"])
    def test_an_unreadable_file_is_named(self, content, in_memory):
        Path("p.yaml").write_text(content)

        with pytest.raises(
            ParametersFileError, match=r"p\.yaml.*: the parameters file"
        ):
            Pipeline(steps=[Stub(name="s")]).execute(
                parameters_file="p.yaml", services=in_memory
            )

    def test_a_missing_file_is_named(self, in_memory):
        with pytest.raises(ParametersFileError, match=r"nope\.yaml: .*No such file"):
            Pipeline(steps=[Stub(name="s")]).execute(
                parameters_file="nope.yaml", services=in_memory
            )


class TestWrongDefinition:
    """One clear error, before anything runs."""

    @pytest.mark.parametrize(
        ("steps", "text"),
        [
            ([], "needs at least one step"),
            ([Stub(name="a"), Stub(name="a")], "two steps have the name 'a'"),
            (
                [Stub(name="a", terminate_with_success=True), Stub(name="b")],
                "step 'b' can never be reached",
            ),
            ([Stub(name="success")], "cannot have the name 'success'"),
            ([Stub(name="a.b")], "cannot name a step"),
            ([Stub(name="a%")], "cannot name a step"),
            ([Stub(name="")], "cannot name a step"),
            ([Stub(name="a", next_node="b")], "leads to 'b', which is no step"),
            ([Stub(name="a", next_node="a")], "in a circle: a -> a"),
            (
                [
                    Stub(name="a"),
                    Stub(name="b", on_failure=Stub(name="a").as_pipeline()),
                ],
                "two steps have the name 'a'",
            ),
        ],
    )
    def test_graph(self, steps, text):
        with pytest.raises(DefinitionError) as caught:
            Pipeline(steps=steps, name="mine")
        assert text in str(caught.value)

    def test_all_findings_are_listed(self):
        with pytest.raises(GraphError) as caught:
            Pipeline(steps=[Stub(name="fail"), Stub(name="a"), Stub(name="a")])
        assert len(caught.value.findings) == 2
        assert "for 2 reasons" in str(caught.value)

    def test_terminal_nodes_are_no_steps(self):
        for node in (Success(), Fail()):
            with pytest.raises(SettingsError):
                Pipeline(steps=[node])

    def test_a_step_ends_in_one_way(self):
        with pytest.raises(SettingsError, match="ends in success and in failure"):
            Stub(name="a", terminate_with_success=True, terminate_with_failure=True)
        with pytest.raises(SettingsError, match="leads to 'b' as well"):
            Stub(name="a", terminate_with_success=True, next_node="b")

    def test_a_function_is_needed(self):
        with pytest.raises(SettingsError, match="function"):
            PythonTask(name="a")
        with pytest.raises(SettingsError, match="callable"):
            PythonTask(name="a", function="print")

    def test_unknown_keywords_are_refused_except_on_stubs(self):
        with pytest.raises(SettingsError, match="fuction"):
            PythonTask(name="a", function=one, fuction=one)
        assert Stub(name="a", what="ever").name == "a"

    def test_a_return_is_declared_once(self):
        with pytest.raises(DefinitionError, match="'x' is declared twice"):
            task("a", one, "x", metric("x"))

    def test_a_parameter_without_a_source_is_refused(self, in_memory):
        pipeline = Pipeline(steps=[Stub(name="s"), task("sum up", add, "y")])
        with pytest.raises(ParameterMissingError) as caught:
            pipeline.execute(parameters={"X": 1}, services=in_memory, run_id="r1")
        text = str(caught.value)
        assert text.startswith("Step 'sum up': ")
        assert "add() needs parameter 'x'" in text
        assert "Known: X" in text

    def test_a_parameter_that_a_failure_path_provides(self, in_memory):
        handler = Pipeline(steps=[task("fix", one, "x"), task("use", add, "y")])
        pipeline = Pipeline(steps=[task("a", boom, on_failure=handler)])
        assert pipeline.execute(services=in_memory).parameters["y"].value == 11

    @pytest.mark.parametrize(
        ("services", "text"),
        [
            ({"catalgo": {"type": "x"}}, "Did you mean 'catalog'?"),
            ({"catalog": {"type": "file-sistem"}}, "Did you mean 'file-system'?"),
            ({"catalog": {}}, "say which with `type`"),
            (
                {
                    "catalog": {
                        "type": "file-system",
                        "config": {"catalog_locatoin": "x"},
                    }
                },
                "Did you mean 'catalog_location'?",
            ),
            (
                {"run-log-store": {"type": "file-system", "durability": "maybe"}},
                "option 'durability'",
            ),
            ({"executor": {"type": "mocked"}}, "write 'pipeline-executor'"),
            ({"catalog": "do-nothing"}, "'do-nothing' is no service; write a mapping"),
            ({"catalog": DoNothingCatalog}, "is no service"),
            ({"secrets": DoNothingCatalog()}, "a DoNothingCatalog cannot be one"),
            ({"secrets": object()}, "cannot be one, since it has no get"),
            ({"catalog": {"typ": "do-nothing"}}, "Did you mean 'type'?"),
            (
                {"catalog": {"type": "file-system", "confg": {}}},
                "Did you mean 'config'?",
            ),
        ],
    )
    def test_configuration(self, services, text):
        with pytest.raises(ConfigurationError) as caught:
            Pipeline(steps=[Stub(name="s")]).execute(services=services)
        assert text in str(caught.value)
        assert list(Path().iterdir()) == []

    @pytest.mark.parametrize(
        ("arguments", "text"),
        [
            ({"configuration_file": {"x": 1}}, r"given as execute\(parameters="),
            ({"parameters": [1]}, "'parameters' must be a mapping"),
            ({"services": [1]}, "'services' must be a mapping"),
        ],
    )
    def test_arguments(self, arguments, text):
        with pytest.raises(ConfigurationError, match=text):
            Pipeline(steps=[Stub(name="s")]).execute(**arguments)

    def test_a_wrong_file_is_named_with_its_problem(self):
        Path("c.yaml").write_text("catalog: {type: file-system, colour: red}\n")
        with pytest.raises(
            ConfigurationError, match=r"c\.yaml:1:30: catalog .*'colour'"
        ):
            Pipeline(steps=[Stub(name="s")]).execute(configuration_file="c.yaml")
        Path("c.yaml").write_text("catalog: {type: nosuch}\n")
        with pytest.raises(
            ServiceNotFoundError, match=r"c\.yaml:1:11: There is no catalog"
        ):
            Pipeline(steps=[Stub(name="s")]).execute(configuration_file="c.yaml")

    def test_an_unknown_service_lists_those_there_are(self):
        with pytest.raises(ServiceNotFoundError) as caught:
            Pipeline(steps=[Stub(name="s")]).execute(
                services={"run_log_store": {"type": "nosuch"}}
            )
        assert (
            "Known: buffered, chunked-fs, chunked-minio, file-system, memory,"
            in str(caught.value)
        )

    @pytest.mark.parametrize("run_id", ["../x", "a/b", ".hidden", "x" * 300, "a\0b"])
    def test_run_ids_are_file_names(self, run_id):
        with pytest.raises(DefinitionError, match="cannot be a run id"):
            Pipeline(steps=[Stub(name="s")]).execute(run_id=run_id)

    def test_initial_values_are_json(self, in_memory):
        with pytest.raises(
            ValueNotStorableError, match="A run starts with JSON values"
        ):
            Pipeline(steps=[Stub(name="s")]).execute(
                parameters={"x": {"y": [object()]}}, services=in_memory
            )


class TestFailingStep:
    """What goes wrong within a step fails the step, with the reason."""

    @pytest.mark.parametrize(
        ("step", "kind", "text"),
        [
            (task("s", lambda: (1, 2), "a"), ReturnsError, "declares 1: a"),
            (task("s", lambda: 1, "a", "b"), ReturnsError, "declares 2: a, b"),
            (
                task("s", lambda: {"deep": [1, object()]}, "a"),
                ValueNotStorableError,
                "a.deep[1] is a object",
            ),
            (task("s", lambda: {1: 2}, "a"), ValueNotStorableError, "its key 1"),
            (task("s", one, secrets=["NOPE"]), SecretNotFoundError, "'NOPE'"),
            (
                task("s", one, catalog=Catalog(get=["nope.csv"])),
                CatalogError,
                "'nope.csv' matches no file",
            ),
            (
                task("s", one, catalog=Catalog(put=["nope.csv"])),
                CatalogError,
                "'nope.csv' matches no file",
            ),
            (
                task("s", one, catalog=Catalog(put=["../x"])),
                CatalogError,
                "within the compute folder",
            ),
            (task("s", add, "y"), BindingError, "parameter 'x': 'many' is not int"),
        ],
    )
    def test_reason(self, step, kind, text):
        pipeline = Pipeline(steps=[step])

        with pytest.raises(ExecutionFailedError) as caught:
            pipeline.execute(parameters=used_by(pipeline, {"x": "many"}))

        assert isinstance(caught.value.__cause__, kind)
        assert text in str(caught.value.__cause__)
        assert caught.value.run_log.status == "FAIL"
        assert text in caught.value.run_log.steps["s"].attempts[0].message

    @pytest.mark.parametrize("function", [one, boom])
    def test_a_catalog_that_fails(self, function, in_memory):
        class Full(DoNothingCatalog):
            def put_text(self, name, text, *, run_id):
                raise OSError(28, "No space left on device")

        def printing():
            print("so that there is a log to keep")
            return function()

        pipeline = Pipeline(steps=[task("s", printing)])
        with pytest.raises((ExecutionFailedError, OSError)) as caught:
            pipeline.execute(services={**in_memory, "catalog": Full()})
        assert isinstance(caught.value, ExecutionFailedError)
        cause = caught.value.__cause__
        assert isinstance(cause, OSError if function is one else LookupError)
        assert "No space left" in str(cause) + "".join(cause.__notes__)
        assert caught.value.run_log.status == "FAIL"

    def test_its_failure_path_is_taken(self, in_memory):
        handler = Stub(name="tell").as_pipeline()
        step = task("s", one, secrets=["NOPE"], on_failure=handler)
        run_log = Pipeline(steps=[step]).execute(services=in_memory)
        assert list(run_log.steps) == ["s", "tell", "success"]


class TestRunLogs:
    """Reading back what happened."""

    def test_a_returned_object_is_the_stored_one(self):
        run_log = Pipeline(steps=[task("a", one, "x")]).execute(run_id="r1")
        assert get_run_log("r1") == run_log
        stored = jsonlib.loads(Path(".run_log_store/r1.json").read_text())
        assert stored["steps"]["a"]["attempts"][0]["output_parameters"] == {
            "x": {"kind": "json", "value": 1, "description": 1}
        }

    def test_a_run_id_is_used_once(self):
        pipeline = Pipeline(steps=[Stub(name="a")])
        pipeline.execute(run_id="r1")
        with pytest.raises(RunLogExistsError, match="'r1' exists already"):
            pipeline.execute(run_id="r1")

    def test_an_unknown_run(self):
        with pytest.raises(RunLogNotFoundError, match="no run 'nope'"):
            get_run_log("nope")

    def test_elsewhere_by_configuration(self):
        Path("c.yaml").write_text(
            "run-log-store:\n  type: file-system\n  config:\n    log_folder: elsewhere\n"
        )
        pipeline = Pipeline(steps=[Stub(name="a")])
        pipeline.execute(run_id="r1", configuration_file="c.yaml")
        assert Path("elsewhere/r1.json").exists()
        assert get_run_log("r1", configuration_file="c.yaml").status == "SUCCESS"

    def test_searching(self, in_memory):
        run_log = Pipeline(steps=[Stub(name="a")]).execute(services=in_memory)
        assert run_log.search_step_by_internal_name("a") == (run_log.steps["a"], None)
        with pytest.raises(runnable.exceptions.StepLogNotFoundError):
            run_log.search_step_by_internal_name("b")
        with pytest.raises(runnable.exceptions.BranchLogNotFoundError):
            run_log.search_branch_by_internal_name("b.c")


def test_changing_the_working_directory_in_a_task_does_no_harm(tmp_path):
    import os

    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    pipeline = Pipeline(
        steps=[task("a", lambda: os.chdir(elsewhere)), task("b", one, pickled("o"))]
    )

    run_log = pipeline.execute(run_id="r1")

    assert run_log.parameters["o"].get_value() == 1
    assert (tmp_path / ".run_log_store" / "r1.json").exists()
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize(
    ("said", "error", "text"),
    [
        ({"resume": ""}, RetryValidationError, "an empty text is no run id"),
        ({"container": RunContainer}, ConfigurationError, "RunContainer is a class"),
    ],
)
def test_probable_slips_are_refused(said, error, text):
    pipeline = PythonTask(name="s", function=lambda: 1).as_pipeline()
    with pytest.raises(error, match=text):
        pipeline.execute(**said)
