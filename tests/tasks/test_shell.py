"""Shell commands: values in, output as it comes, values out, and everything ended."""

import asyncio
import json
import os
import subprocess
import threading
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runnable import (
    ExecutionFailedError,
    Map,
    Pipeline,
    PythonTask,
    ShellTask,
    metric,
    pickled,
)
from runnable.exceptions import (
    BindingError,
    CommandCallError,
    DefinitionError,
    StepTimeoutError,
)

WAYS = pytest.mark.parametrize("way", ["execute", "execute_async"])


def shell(command, *returns, **more):
    return ShellTask(name="s", command=command, returns=list(returns), **more)


def run(step, services, way="execute", **parameters):
    steps = step if isinstance(step, list) else [step]
    running = getattr(Pipeline(steps=steps), way)(
        services=services, parameters=parameters
    )
    return running if way == "execute" else asyncio.run(running)


def failed(step, services, way="execute", **parameters):
    with pytest.raises(ExecutionFailedError) as caught:
        run(step, services, way, **parameters)
    return caught.value


@WAYS
def test_parameters_and_returns_are_variables(way, in_memory):
    step = shell(
        'export z=$(expr $x + 1); export y="$text"; export s=$(printf "%s" "$list")',
        metric("z"),
        "y",
        "s",
    )
    run_log = run(step, in_memory, way, x=41, text="a b", list=[1, {"k": None}])
    assert run_log.metrics == {"z": 42}
    assert run_log.parameters["y"].value == "a b"
    assert run_log.parameters["s"].value == [1, {"k": None}]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1, "1"),
        (3.14, "3.14"),
        (True, "true"),
        (None, "null"),
        ("1", "1"),
        ({"x": 10, "foo": "bar"}, '{"x": 10, "foo": "bar"}'),
    ],
)
def test_everything_but_text_is_json(value, text, in_memory, capfd):
    run(shell('printf "%s" "$v"'), in_memory, v=value)
    assert capfd.readouterr().out == text


TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(TEXTS | st.sampled_from(["$(touch hacked)", "`id`", "'\"\\", "a=b\nc=d", "\n"]))
def test_any_text_comes_through_as_it_is(text):
    services = {"run_log_store": {"type": "memory"}, "catalog": {"type": "do-nothing"}}
    # In quotes, so that it comes back as text, whatever it looks like.
    value = json.dumps(text)
    run_log = run(shell('export back="$value"', "back"), services, value=value)
    assert run_log.parameters["back"].value == text
    assert not Path("hacked").exists()


@pytest.mark.parametrize(
    ("value", "text"),
    [("a\0b", "no NUL"), ("\ud800", "no '\\ud800'"), ("x" * 200_000, "200000")],
)
def test_values_that_no_variable_can_hold_are_refused(value, text, in_memory):
    error = failed(shell('echo "$value"'), in_memory, value=value)
    assert isinstance(error.__cause__, BindingError)
    assert text in str(error)
    # Who does not use it is not disturbed.
    assert run(shell("true"), in_memory, value=value).status == "SUCCESS"


def test_the_environment_of_the_caller_comes_along(in_memory, monkeypatch):
    monkeypatch.setenv("OF_THE_CALLER", "yes")
    monkeypatch.setenv("TOKEN", "s3cret")
    step = shell(
        'export seen="$OF_THE_CALLER $RUNNABLE_STEP_ATTEMPT ${TOKEN:-none}"', "seen"
    )
    before = dict(os.environ)
    assert run(step, in_memory).parameters["seen"].value == "yes 1 s3cret"
    with_secret = shell("export n=${#HIDDEN}", "n", secrets=["HIDDEN"])
    monkeypatch.setenv("HIDDEN", "12345")
    assert run(with_secret, in_memory).parameters["n"].value == 5
    assert {k: v for k, v in before.items() if os.environ.get(k) != v} == {}


@WAYS
def test_the_error_of_a_command_has_its_status_and_stderr(way):
    error = failed(
        shell("echo some; echo first >&2; echo the reason >&2; exit 3"), {}, way
    )
    assert isinstance(error.__cause__, CommandCallError)
    assert "exited with 3\n    first\n    the reason" in str(error)
    (log,) = Path(".catalog", error.run_id).glob("s???.execution.log")
    text = log.read_text()
    assert text.startswith("some\nfirst\nthe reason\n") or "some\n" in text
    assert "CommandCallError" in text
    step = error.run_log.steps["s"]
    assert (step.status, "exited with 3" in step.attempts[0].message) == ("FAIL", True)


@pytest.mark.parametrize(
    "command",
    [
        "export x=1; exit 0",
        "export x=1 # a comment",
        "(exit 3); export x=1",
        "x=1\nexport x",
    ],
)
def test_the_end_of_a_command_is_where_it_ends(command, in_memory):
    assert run(shell(command, "x"), in_memory).parameters["x"].value == 1


def test_a_variable_that_is_not_exported(in_memory):
    error = failed(shell("y=1", "y", "z"), in_memory)
    assert "has not exported y, z" in str(error)
    assert "write: export y=" in str(error)


def test_a_shell_task_returns_no_objects():
    with pytest.raises(DefinitionError, match="cannot return the object 'x'"):
        Pipeline(steps=[shell("true", pickled("x"))])


def test_objects_are_not_handed_over(in_memory):
    make = PythonTask(name="m", function=lambda: {1, 2}, returns=[pickled("things")])
    step = shell('export n="${things-none}"', "n")
    assert run([make, step], in_memory).parameters["n"].value == "none"


def test_much_output_and_garbage_survive():
    step = shell(
        "yes 0123456789 | head -c 5000000; printf '\\377\\376\\n'; printf 'end\\n' >&2"
    )
    run_log = run(step, {})
    (log,) = Path(".catalog", run_log.run_id).glob("s???.execution.log")
    text = log.read_text()
    assert text.count("0123456789") >= 454_545
    assert "\\xff\\xfe" in text
    assert "end" in text


def test_output_comes_while_it_runs(in_memory, monkeypatch):
    """The command waits for something that is done when its first line is seen."""
    import io
    import sys

    class Watching(io.StringIO):
        def write(self, text):
            if "ready" in text:
                Path("go on").touch()
            return super().write(text)

    monkeypatch.setattr(sys, "stdout", Watching())
    step = shell('echo ready; while [ ! -e "go on" ]; do sleep 0.01; done')
    step.timeout_seconds = 60
    assert run(step, in_memory).status == "SUCCESS"


@WAYS
def test_a_timeout_ends_everything_it_has_started(way, in_memory):
    step = shell(
        "sleep 600 & echo $! > child; echo $$ > shell; wait", timeout_seconds=0.5
    )
    error = failed(step, in_memory, way)
    assert isinstance(error.__cause__, StepTimeoutError)
    for name in ("child", "shell"):
        pid = Path(name).read_text().strip()
        for _ in range(600):
            if not Path(f"/proc/{pid}").exists() or _is_zombie(pid):
                break
            time.sleep(0.01)
        else:
            pytest.fail(f"the {name} lives on")


def _is_zombie(pid):
    try:
        return ") Z " in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return True


async def test_cancelling_ends_the_command(in_memory):
    running = asyncio.create_task(
        Pipeline(steps=[shell("echo $$ > shell; sleep 600")]).execute_async(
            services=in_memory
        )
    )
    while not Path("shell").exists() or not Path("shell").read_text().strip():
        await asyncio.sleep(0.01)
    pid = Path("shell").read_text().strip()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert not Path(f"/proc/{pid}").exists() or _is_zombie(pid)


def test_background_processes_are_not_waited_for(in_memory):
    step = shell("sleep 600 & echo $! > child; export x=1", "x")
    assert run(step, in_memory).parameters["x"].value == 1
    os.kill(int(Path("child").read_text()), 9)


@pytest.mark.parametrize("parallelism", ["thread", "process"])
def test_many_at_once(parallelism, in_memory):
    step = Map(
        name="m",
        branch=shell("export twice=$(expr $x \\* 2)", "twice").as_pipeline(),
        iterate_on="xs",
        iterate_as="x",
        parallelism=parallelism,
    )
    run_log = run(step, in_memory, xs=list(range(40)))
    assert run_log.parameters["twice"].value == [2 * x for x in range(40)]
    assert threading.active_count() < 200


async def test_a_command_that_starts_while_it_is_cancelled_is_ended(
    in_memory, monkeypatch
):
    """It is cancelled when its process is there, and not yet known to its task."""
    started, real = threading.Event(), subprocess.Popen

    def start_slowly(*arguments, **settings):
        process = real(*arguments, **settings)
        if arguments[0][0] != "/bin/sh":
            return process  # git
        pids.append(process.pid)
        loop.call_soon_threadsafe(running.cancel)
        started.wait(0.3)
        return process

    pids, loop = [], asyncio.get_running_loop()
    monkeypatch.setattr("runnable.tasks.shell.subprocess.Popen", start_slowly)
    pipeline = Pipeline(steps=[shell("sleep 600")])
    running = asyncio.create_task(pipeline.execute_async(services=in_memory))
    with pytest.raises(asyncio.CancelledError):
        await running
    assert not Path(f"/proc/{pids[0]}").exists() or _is_zombie(pids[0])
