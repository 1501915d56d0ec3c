"""Tags and notes of runs, and parameters that are written on the command line."""

import json
import os
from pathlib import Path

import pytest
from command_line import runnable

from runnable import PythonTask, Stub, get_run_log, list_runs
from runnable.exceptions import ConfigurationError, ExecutionFailedError

PIPELINE = Stub(name="s").as_pipeline()


def run(run_id, **options):
    return PIPELINE.execute(run_id=run_id, **options)


def test_runs_are_found_by_their_tags():
    run("r1", tags={"team": "risk", "model": "a"}, tag="nightly")
    run("r2", tags={"team": "risk"}, notes={"why": "a first try"})
    run("r3")

    def found(**tags):
        return sorted(it.run_id for it in list_runs(tags=tags))

    assert found(team="risk") == ["r1", "r2"]
    assert found(team="risk", model="a") == ["r1"]
    assert found(model="b") == []
    assert found() == ["r1", "r2", "r3"]
    assert {it.run_id: it.tags for it in list_runs()}["r2"] == {"team": "risk"}
    run_log = get_run_log("r2")
    assert (run_log.tags, run_log.notes) == ({"team": "risk"}, {"why": "a first try"})
    assert get_run_log("r1").tag == "nightly"


@pytest.mark.parametrize("store", ["memory", "file-system", "sqlite"])
def test_tags_are_there_in_each_store_also_of_runs_that_failed(store):
    def broken():
        raise ValueError("no")

    services = {"run_log_store": {"type": store}}
    with pytest.raises(ExecutionFailedError) as caught:
        PythonTask(function=broken).as_pipeline().execute(
            services=services, tags={"a": "1"}, notes={"b": "2"}
        )
    assert caught.value.run_log.tags == {"a": "1"}
    assert caught.value.run_log.notes == {"b": "2"}


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"tags": {"a=b": "c"}}, "'a=b' is no key"),
        ({"tags": {"": "c"}}, "'' is no key"),
        ({"tags": {"a": 1}}, "the value of 'a' must be text"),
        ({"tags": {"a": "x" * 101}}, "at most 100 characters"),
        ({"notes": {"a": "x" * 10_001}}, "at most 10,000 characters"),
        ({"tags": "a=b"}, "'tags' must be a mapping"),
        ({"tags": {"a": "\0"}}, "the value of 'a' must be text"),
        ({"notes": {"a": "\ud800"}}, "the value of 'a' must be text"),
        ({"tags": {str(it): "" for it in range(51)}}, "more than 50"),
    ],
)
def test_wrong_tags_are_refused(given, why):
    with pytest.raises(ConfigurationError, match=why):
        run("r1", **given)
    assert list_runs() == []


def test_secrets_in_tags_are_masked(monkeypatch):
    monkeypatch.setenv("KEY", "very-secret-value")

    def use():
        return os.environ["KEY"]

    def outer():
        PIPELINE.execute(
            run_id="inner",
            tags={"a": "very-secret-value"},
            notes={"b": "is very-secret-value"},
        )

    step = PythonTask(function=outer, secrets=["KEY"])
    step.as_pipeline().execute()
    for file in Path(".run_log_store").iterdir():
        assert b"very-secret-value" not in file.read_bytes()
    assert get_run_log("inner").tags == {"a": "***"}


SCRIPT = """
from runnable import PythonTask
def show(n: int, text: str, items: list[float]) -> str:
    return f"{n + 1} {text} {items}"
pipeline = PythonTask(function=show, returns=["shown"]).as_pipeline()
if __name__ == "__main__":
    pipeline.execute(parameters={"n": 1, "text": "a", "items": []})
"""


def test_the_command_line_gives_parameters_tags_and_notes():
    Path("script.py").write_text(SCRIPT)
    finished = runnable(
        *("execute", "script.py", "r1", "--param", "n=41", "--param", "text=007"),
        *("--param", "items=[1, 2]", "--tag", "nightly", "--tag", "team=risk"),
        *("--note", "why=it = x"),
    )
    assert finished.returncode == 0, finished.stderr
    run_log = get_run_log("r1")
    assert run_log["shown"] == "42 007 [1.0, 2.0]"
    assert (run_log.tag, run_log.tags) == ("nightly", {"team": "risk"})
    assert run_log.notes == {"why": "it = x"}
    listed = runnable("runs", "list", "--tag", "team=risk", "--json")
    assert [it["run_id"] for it in json.loads(listed.stdout)] == ["r1"]
    assert (
        json.loads(runnable("runs", "list", "--tag", "team=x", "--json").stdout) == []
    )
    assert "nightly, team=risk" in runnable("runs", "list").stdout
    shown = runnable("runs", "show", "r1").stdout
    assert "team" in shown
    assert "it = x" in shown


@pytest.mark.parametrize(
    ("option", "why"),
    [
        (("--param", "n"), "--param is key=value, and was given 'n'"),
        (("--param", "n=1", "--param", "n=2"), "--param was given 'n' twice"),
        (("--note", "=x"), "--note is key=value"),
        (("--tag", "a", "--tag", "b"), "--tag was given 'a' and 'b'; use keys"),
    ],
)
def test_wrong_options_are_one_line(option, why):
    Path("script.py").write_text(SCRIPT)
    finished = runnable("execute", "script.py", *option)
    assert finished.returncode
    assert why in finished.stderr
    assert "Traceback" not in finished.stderr


def test_tags_and_notes_reach_a_run_that_another_process_begins():
    Path("functions.py").write_text("def work():\n    return 1\n")
    Path("jobs.py").write_text(
        "from runnable import PythonJob\n"
        "from functions import work\n"
        "def main():\n"
        "    job = PythonJob(function=work, returns=['x'], reference='jobs.py:main')\n"
        "    job.execute(tag='a=b', tags={'team': \"'; $(x)\"}, notes={'n': '{{x}}'})\n"
        "    return job\n"
        "if __name__ == '__main__':\n    main()\n"
    )
    Path("c.yaml").write_text("job-executor: {type: emulator}\n")
    finished = runnable("execute", "jobs.py", "j1", "--config", "c.yaml")
    assert finished.returncode == 0, finished.stderr
    run_log = get_run_log("j1")
    assert (run_log.tag, run_log.tags) == ("a=b", {"team": "'; $(x)"})
    assert run_log.notes == {"n": "{{x}}"}


NESTED = """
from runnable import PythonTask
def inner(x):
    return x
def outer(x):
    run_log = PythonTask(function=inner, returns=["y"]).as_pipeline().execute(
        parameters={"x": 100}, run_id="inner"
    )
    return run_log["y"]
if __name__ == "__main__":
    PythonTask(function=outer, returns=["z"]).as_pipeline().execute(
        parameters={"x": 1}, tags={"owner": "script", "team": "a"}, run_id="outer"
    )
"""


def test_options_of_the_command_line_are_those_of_the_run_that_it_launches():
    Path("script.py").write_text(NESTED)
    options = ("--param", "x=7", "--tag", "team=cli", "--note", "m=cli")
    finished = runnable("execute", "script.py", *options)
    assert finished.returncode == 0, finished.stderr
    outer, inner = get_run_log("outer"), get_run_log("inner")
    assert (outer["x"], outer["z"], inner["x"]) == (7, 100, 100)
    assert outer.tags == {"owner": "script", "team": "cli"}
    assert (outer.notes, inner.tags, inner.notes) == ({"m": "cli"}, {}, {})


def test_a_run_that_is_resumed_keeps_its_tags_and_says_so():
    def flaky():
        if not Path("ok").exists():
            raise ValueError("not yet")

    pipeline = PythonTask(function=flaky).as_pipeline()
    with pytest.raises(ExecutionFailedError):
        pipeline.execute(run_id="r1", tags={"a": "1"})
    Path("ok").touch()
    run_log = pipeline.execute(resume="r1", tags={"a": "1", "b": "2"})
    assert run_log.tags == {"a": "1"}
    resumed = run_log.run_config["resumed"]
    assert resumed[0]["message"] == "it keeps its tags; not used: b"


def test_tags_are_masked_in_lists_by_secrets_that_were_read_later(monkeypatch):
    monkeypatch.setenv("KEY", "very-secret-value")

    def use():
        return len(os.environ["KEY"])

    step = PythonTask(function=use, secrets=["KEY"], returns=["n"])
    step.as_pipeline().execute(tags={"a": "very-secret-value"})
    assert list_runs()[0].tags == {"a": "***"}
