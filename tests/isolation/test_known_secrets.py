"""A run knows its secrets wherever it continues: resumed, nested, in workers, in parts."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from runnable import (
    ExecutionFailedError,
    Map,
    Pipeline,
    Provide,
    PythonTask,
    get_run_log,
    inject,
    pickled,
)
from runnable.datastore.file_system import FileSystemRunLogStore
from runnable.secrets import BaseSecrets

CANARY = "correct-horse-staple"


class Known(BaseSecrets):
    """Knows one secret."""

    service_name: str = "known"

    def get(self, name: str) -> str:
        assert name == "TOKEN"
        return CANARY


@inject
def read(*, secrets: BaseSecrets = Provide["secrets"]) -> dict:
    return {"token": secrets.get("TOKEN"), "complex": 1j}


def declared() -> dict:
    import os

    return {"token": os.environ["TOKEN"], "complex": 1j}


def use(thing: dict):
    print("printed", thing["token"])
    if Path("broken").exists():
        raise ValueError(f"refused {thing['token']}")
    return f"got {thing['token']}"


def pipeline_of(function, secrets=()):
    first = PythonTask(
        name="first",
        function=function,
        returns=[pickled("thing")],
        secrets=list(secrets),
    )
    return Pipeline(
        steps=[first, PythonTask(name="second", function=use, returns=["text"])]
    )


def traces(*folders):
    """Return the files that contain the secret; the stored object itself may."""
    found = []
    for folder in folders:
        for file in Path(folder).rglob("*"):
            if file.is_file() and CANARY.encode() in file.read_bytes():
                found.append(str(file))
    return [it for it in found if "/_objects/" not in it and ".pickle" not in it]


@pytest.mark.parametrize(("function", "secrets"), [(read, ()), (declared, ("TOKEN",))])
def test_a_resumed_run_masks_secrets_read_before(function, secrets, capsys):
    services = {"secrets": Known()}
    pipeline = pipeline_of(function, secrets)
    Path("broken").touch()
    with pytest.raises(ExecutionFailedError):
        pipeline.execute(run_id="r1", services=services)
    # Resumed twice, so that the step that read the secret is in the past each time.
    with pytest.raises(ExecutionFailedError) as failed:
        pipeline.execute(resume="r1", services=services)
    assert CANARY not in str(failed.value)
    Path("broken").unlink()
    run_log = pipeline.execute(resume="r1", services=services)
    assert run_log.parameters["text"].value == "got ***"
    output = capsys.readouterr()
    assert CANARY not in output.out + output.err
    assert "printed ***" in output.out
    assert traces(".run_log_store", ".catalog") == []
    assert CANARY not in get_run_log("r1").model_dump_json()


def test_a_secret_that_is_gone_is_reported():
    class Forgetful(Known):
        def get(self, name: str) -> str:
            from runnable.exceptions import SecretNotFoundError

            raise SecretNotFoundError(name, "nowhere")

    pipeline = pipeline_of(read)
    Path("broken").touch()
    with pytest.raises(ExecutionFailedError):
        pipeline.execute(run_id="r1", services={"secrets": Known()})
    Path("broken").unlink()
    run_log = pipeline.execute(resume="r1", services={"secrets": Forgetful()})
    [resumed] = run_log.run_config["resumed"]
    assert "secret 'TOKEN' is gone, so its value cannot be masked" in resumed["message"]


def test_names_are_recorded_and_values_are_not():
    pipeline_of(read).execute(run_id="r1", services={"secrets": Known()})
    store = FileSystemRunLogStore()
    names = [getattr(it, "secrets", ()) for it in store.read("r1")]
    assert ("TOKEN",) in names
    assert store.state("r1").secret_names == {"TOKEN"}


@pytest.mark.parametrize("when", ["before", "while it runs"])
def test_a_nested_run_masks_the_secrets_of_the_run_around_it(when, capsys):
    """Also one that the outer run reads when the nested one has started."""

    @inject
    def outer(*, secrets: BaseSecrets = Provide["secrets"]):
        token = secrets.get("TOKEN") if when == "before" else ""

        def inner():
            known = token or secrets.get("TOKEN")
            print("printed", known)
            return f"got {known}"

        step = PythonTask(name="i", function=inner, returns=["text"])
        nested = step.as_pipeline().execute(
            run_id="inner", services={"secrets": {"type": "do-nothing"}}
        )
        return nested.parameters["text"].value

    step = PythonTask(name="o", function=outer, returns=["text"])
    run_log = step.as_pipeline().execute(run_id="outer", services={"secrets": Known()})
    assert run_log.parameters["text"].value == "got ***"
    output = capsys.readouterr()
    assert CANARY not in output.out + output.err
    assert traces(".run_log_store", ".catalog") == []


@pytest.mark.parametrize("parallelism", ["thread", "process"])
def test_branches_mask_secrets_of_earlier_steps(parallelism, capfd):
    def show(thing: dict, n: int):
        print("printed", n, thing["token"])
        return f"got {thing['token']}"

    each = PythonTask(name="each", function=show, returns=["texts"]).as_pipeline()
    first = PythonTask(name="first", function=read, returns=[pickled("thing")])
    map_ = Map(
        name="m",
        iterate_on="ns",
        iterate_as="n",
        branch=each,
        parallelism=parallelism,
    )
    run_log = Pipeline(steps=[first, map_]).execute(
        run_id="r1", parameters={"ns": [1, 2]}, services={"secrets": Known()}
    )
    assert run_log.parameters["texts"].value == ["got ***", "got ***"]
    output = capfd.readouterr()
    assert CANARY not in output.out + output.err
    assert traces(".run_log_store", ".catalog") == []


SCRIPT = """
from runnable import Pipeline, Provide, PythonTask, inject, pickled
from runnable.secrets import BaseSecrets

@inject
def read(*, secrets: BaseSecrets = Provide["secrets"]) -> dict:
    return {"token": secrets.get("TOKEN"), "complex": 1j}

def use(thing: dict):
    print("printed", thing["token"])
    return RESULT

def main():
    first = PythonTask(name="first", function=read, returns=[pickled("thing")])
    second = PythonTask(name="second", function=use, returns=["text"])
    Pipeline(steps=[first, second]).execute(
        run_id="r1", services={"pipeline_executor": {"type": "emulator"}})

if __name__ == "__main__":
    main()
"""


def test_a_single_step_masks_secrets_of_other_steps(monkeypatch):
    monkeypatch.setenv("TOKEN", CANARY)
    Path("script.py").write_text(SCRIPT.replace("RESULT", "len(thing['token'])"))
    finished = subprocess.run(
        [sys.executable, "script.py"], capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0, finished.stderr
    assert "printed ***" in finished.stdout
    assert CANARY not in finished.stdout + finished.stderr
    assert traces(".run_log_store", ".catalog") == []
    log = json.loads(Path(".run_log_store/r1.json").read_text())
    assert log["status"] == "SUCCESS"


def spelled() -> str:
    """Return the secret as a task has it that has not read it as one."""
    return CANARY


def test_a_worker_masks_what_another_one_has_read(capfd):
    """Each branch is in a process of its own; one of them has read the secret."""

    @inject
    def work(n: int, *, secrets: BaseSecrets = Provide["secrets"]):
        if n == 1:
            secrets.get("TOKEN")
            Path("read").touch()
        while not Path("read").exists():
            time.sleep(0.01)

    def show(n: int):
        print("printed", spelled())
        return f"got {spelled()}"

    steps = [
        PythonTask(name="work", function=work),
        PythonTask(name="show", function=show, returns=["texts"]),
    ]
    each = Map(
        name="m",
        iterate_on="ns",
        iterate_as="n",
        branch=Pipeline(steps=steps),
        parallelism="process",
        max_workers=2,
    )
    run_log = each.as_pipeline().execute(
        run_id="r1", parameters={"ns": [1, 2]}, services={"secrets": Known()}
    )
    assert run_log.parameters["texts"].value == ["got ***", "got ***"]
    output = capfd.readouterr()
    assert CANARY not in output.out + output.err
    assert traces(".run_log_store", ".catalog") == []


def test_a_secret_is_known_although_the_worker_that_read_it_died(capfd):
    @inject
    def die(*, secrets: BaseSecrets = Provide["secrets"]):
        secrets.get("TOKEN")
        os._exit(7)

    def show():
        print("printed", spelled())

    handler = PythonTask(name="show", function=show).as_pipeline()
    step = PythonTask(
        name="die", function=die, workspace="isolated", on_failure=handler
    )
    step.as_pipeline().execute(run_id="r1", services={"secrets": Known()})
    output = capfd.readouterr()
    assert "printed ***" in output.out
    assert CANARY not in output.out + output.err
    assert traces(".run_log_store", ".catalog") == []


def test_a_nested_run_that_is_resumed_alone_knows_the_secrets_around_it(capsys):
    @inject
    def outer(*, secrets: BaseSecrets = Provide["secrets"]):
        secrets.get("TOKEN")
        with pytest.raises(ExecutionFailedError):
            inner().execute(run_id="inner")

    def show():
        if not Path("mended").exists():
            raise ValueError("not yet")
        print("printed", spelled())

    def inner():
        steps = [
            PythonTask(name="a", function=lambda: None),
            PythonTask(name="show", function=show),
        ]
        return Pipeline(steps=steps)

    step = PythonTask(name="o", function=outer)
    step.as_pipeline().execute(run_id="outer", services={"secrets": Known()})
    Path("mended").touch()
    inner().execute(resume="inner", services={"secrets": Known()})
    output = capsys.readouterr()
    assert "printed ***" in output.out
    assert CANARY not in output.out + output.err
    assert traces(".run_log_store", ".catalog") == []


def test_the_error_of_a_single_step_is_masked(monkeypatch):
    monkeypatch.setenv("TOKEN", CANARY)
    broken = SCRIPT.replace("return RESULT", 'raise ValueError(thing["token"])')
    Path("script.py").write_text(broken)
    finished = subprocess.run(
        [sys.executable, "script.py"], capture_output=True, text=True, check=False
    )
    assert finished.returncode != 0
    assert "ValueError: ***" in finished.stderr
    assert traces(".run_log_store", ".catalog") == []


@pytest.mark.parametrize(
    "result", ["thing['token']", "{'deep': [thing['token']]}", "('x', thing['token'])"]
)
def test_a_value_with_a_secret_is_refused_where_steps_have_processes(
    result, monkeypatch
):
    """The next step would get what is recorded: a mask."""
    monkeypatch.setenv("TOKEN", CANARY)
    Path("script.py").write_text(SCRIPT.replace("RESULT", f"[{result}]"))
    finished = subprocess.run(
        [sys.executable, "script.py"], capture_output=True, text=True, check=False
    )
    assert finished.returncode != 0
    assert "step 'second' returned 'text' with a secret in it" in finished.stderr
    assert CANARY not in finished.stdout + finished.stderr
    assert get_run_log("r1").status == "FAIL"
