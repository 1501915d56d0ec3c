"""A secret at every exit: events, names, records, errors, the console, spans."""

import collections
import dataclasses
import subprocess
import sys
import traceback
import types
from pathlib import Path

import pytest

from runnable import (
    AsyncPipeline,
    Catalog,
    ExecutionFailedError,
    Map,
    Pipeline,
    Provide,
    PythonTask,
    ShellTask,
    get_run_log,
    inject,
)
from runnable.secrets import BaseSecrets

CANARY = "correct-horse-staple"
SERVICES = {"secrets": {"type": "env-secrets"}}


@pytest.fixture(autouse=True)
def secret(monkeypatch):
    monkeypatch.setenv("TOKEN", CANARY)


def on_disk():
    """Return the files, and names of files, that have the secret."""
    return [
        str(path)
        for path in Path.cwd().rglob("*")
        if CANARY in str(path.relative_to(Path.cwd()))
        or (path.is_file() and CANARY.encode() in path.read_bytes())
    ]


@dataclasses.dataclass
class Data:
    text: str


YIELDED = {
    "value": lambda it: {"a": it},
    "key": lambda it: {it: 1},
    "key of another type": lambda it: {"a": {1: it}},
    "tuple": lambda it: {"a": (it,)},
    "list in a tuple": lambda it: {"a": ([it],)},
    "deque": lambda it: {"a": collections.deque([it])},
    "mapping proxy": lambda it: {"a": types.MappingProxyType({"b": it})},
    "data class": lambda it: {"a": Data(it)},
    "bytes": lambda it: {"a": it.encode()},
    "exception": lambda it: {"a": ValueError(it)},
}


@pytest.mark.parametrize("kind", YIELDED.values(), ids=YIELDED)
async def test_events_that_a_task_yields(kind):
    @inject
    def work(*, secrets: BaseSecrets = Provide["secrets"]):
        token = secrets.get("TOKEN")
        yield {"type": "progress", **kind(token)}
        yield {"type": "done", "result": (token,)}

    pipeline = AsyncPipeline(
        steps=[PythonTask(name="s", function=work, returns=["result"])]
    )
    stream = pipeline.execute_streaming(services=SERVICES, lifecycle=True)
    events = [event async for event in stream]
    assert {"progress", "done", "run_finished"} <= {it["type"] for it in events}
    assert CANARY not in repr(events)
    assert on_disk() == []


@pytest.mark.parametrize("parallelism", ["none", "thread", "process"])
@pytest.mark.parametrize("nested", [False, True])
def test_a_secret_becomes_no_name(parallelism, nested, capfd):
    @inject
    def read(*, secrets: BaseSecrets = Provide["secrets"]):
        token = secrets.get("TOKEN")
        return [f"a/{token}", {"deep": [token]}] if nested else [token, "plain"]

    def use(x):
        print("item", x)
        return len(x)

    branch = PythonTask(name="use", function=use, returns=["sizes"]).as_pipeline()
    steps = [
        PythonTask(name="read", function=read, returns=["xs"]),
        Map(
            name="m",
            branch=branch,
            iterate_on="xs",
            iterate_as="x",
            parallelism=parallelism,
        ),
    ]
    run_log = Pipeline(steps=steps).execute(run_id="r1", services=SERVICES)
    branches = list(run_log.steps["m"].branches)
    second = "m.item-2" if nested else "m.plain"
    assert branches == ["m.item-1", second]
    expected = [len(f"a/{CANARY}"), 1] if nested else [len(CANARY), len("plain")]
    assert run_log.parameters["sizes"].value == expected
    assert CANARY not in run_log.model_dump_json()
    assert CANARY not in "".join(capfd.readouterr())
    assert on_disk() == []


def test_a_file_with_a_secret_in_its_name_is_refused():
    @inject
    def write(*, secrets: BaseSecrets = Provide["secrets"]):
        Path(f"for-{secrets.get('TOKEN')}.txt").write_text("content")

    step = PythonTask(name="s", function=write, catalog=Catalog(put=["*.txt"]))
    with pytest.raises(ExecutionFailedError, match="a secret in its name"):
        step.as_pipeline().execute(run_id="r1", services=SERVICES)
    Path(f"for-{CANARY}.txt").unlink()
    assert on_disk() == []


def test_a_nested_run_that_is_given_a_secret():
    def inner(token):
        return len(token)

    @inject
    def outer(*, secrets: BaseSecrets = Provide["secrets"]):
        token = secrets.get("TOKEN")
        step = PythonTask(name="i", function=inner, returns=["n"])
        run_log = step.as_pipeline().execute(
            run_id="inner", tag=f"for {token}", parameters={"token": token}
        )
        return run_log.parameters["n"].value

    step = PythonTask(name="o", function=outer, returns=["n"])
    run_log = step.as_pipeline().execute(run_id="outer", services=SERVICES)
    assert run_log.parameters["n"].value == len(CANARY)
    assert get_run_log("inner").tag == "for ***"
    assert on_disk() == []


def test_the_error_of_a_nested_run_with_a_secret_of_its_own():
    @inject
    def inner(*, secrets: BaseSecrets = Provide["secrets"]):
        raise ValueError(f"refused {secrets.get('TOKEN')}")

    def outer():
        step = PythonTask(name="i", function=inner)
        step.as_pipeline().execute(run_id="inner", services=SERVICES)

    with pytest.raises(ExecutionFailedError) as caught:
        PythonTask(name="o", function=outer).as_pipeline().execute(run_id="outer")
    assert CANARY not in str(caught.value)
    assert on_disk() == []


@pytest.mark.parametrize("command", ["echo $TOKEN >&2; exit 3", "echo $TOKEN; exit 3"])
def test_the_error_of_a_command_is_masked_with_all_its_causes(command):
    step = ShellTask(name="s", command=command, secrets=["TOKEN"])
    with pytest.raises(ExecutionFailedError) as caught:
        step.as_pipeline().execute(run_id="r1", services=SERVICES)
    shown = "".join(traceback.format_exception(caught.value))
    assert CANARY not in shown
    assert on_disk() == []


def test_a_value_in_an_error_is_masked_although_it_is_cut():
    @inject
    def read(*, secrets: BaseSecrets = Provide["secrets"]):
        return [f"{number} {secrets.get('TOKEN')}" * 9 for number in range(3)]

    def use(x: int):
        return x

    steps = [
        PythonTask(name="read", function=read, returns=["x"]),
        PythonTask(name="use", function=use),
    ]
    with pytest.raises(ExecutionFailedError) as caught:
        Pipeline(steps=steps).execute(run_id="r1", services=SERVICES)
    shown = "".join(traceback.format_exception(caught.value))
    beginnings = {CANARY[:length] for length in range(6, len(CANARY) + 1)}
    assert not [it for it in beginnings if it in shown]


SCRIPT = """
from runnable import ExecutionFailedError, Provide, PythonTask, inject
from runnable.secrets import BaseSecrets

@inject
def fail(*, secrets: BaseSecrets = Provide["secrets"]):
    raise ValueError("refused " + secrets.get("TOKEN"))

def main():
    step = PythonTask(name="s", function=fail)
    try:
        step.as_pipeline().execute(run_id="r1")
    except ExecutionFailedError as failure:
        WHAT

if __name__ == "__main__":
    main()
"""


@pytest.mark.parametrize("what", ["raise", "raise failure.__cause__"])
@pytest.mark.parametrize("options", [[], ["--verbose"], ["--json"]])
def test_the_command_line_masks_whatever_a_script_raises(what, options):
    Path("script.py").write_text(SCRIPT.replace("WHAT", what))
    Path("runnable-config.yaml").write_text("secrets: {type: env-secrets}\n")
    command = [sys.executable, "-m", "runnable.cli", "execute", "script.py", *options]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert finished.returncode != 0
    assert "ValueError: refused ***" in finished.stderr
    assert CANARY not in finished.stdout + finished.stderr
    assert ("Traceback" in finished.stderr) == (options == ["--verbose"])
    assert on_disk() == []
