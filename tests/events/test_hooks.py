"""Hooks that are called when a run has ended."""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from runnable import Parallel, Pipeline, PythonTask, load_pipeline, metric
from runnable.exceptions import (
    ConfigurationError,
    ExecutionFailedError,
    PipelineFileError,
    SettingsError,
)
from runnable.secrets import BaseSecrets


class Gate:
    """A hook that a test waits for."""

    def __init__(self):
        self.calls = []
        self._called = threading.Semaphore(0)

    def __call__(self, ended):
        self.calls.append(ended)
        self._called.release()

    def wait(self):
        assert self._called.acquire(timeout=30)
        return self.calls[-1]


class Receiver(ThreadingHTTPServer):
    """A server that keeps what it gets."""

    def __init__(self, status=200):
        self.gate = Gate()
        gate = self.gate

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                content = self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(status)
                self.send_header("Location", "http://elsewhere.invalid/")
                self.end_headers()
                gate((json.loads(content), dict(self.headers)))

            def log_message(self, *_):
                """Print nothing."""

        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()


@pytest.fixture
def receiver():
    with Receiver() as server:
        yield server
        server.shutdown()


def work(rows: int) -> int:
    if rows < 0:
        raise ValueError("no rows")
    return rows


PIPELINE = Pipeline(
    name="daily",
    steps=[PythonTask(name="count", function=work, returns=[metric("rows")])],
)
MEMORY = {"run_log_store": {"type": "memory"}, "catalog": {"type": "do-nothing"}}


def run(rows, **more):
    arguments = {"parameters": {"rows": rows}, "services": MEMORY, **more}
    return PIPELINE.execute(**arguments)


def wait_for_threads():
    """Wait until no hook is called any more."""
    for thread in threading.enumerate():
        if thread.name == "runnable worker" and not thread.daemon:
            thread.join(30)


def container_with(*hooks):
    from containers import RunContainer

    container = RunContainer()
    container.on_run_end.override(list(hooks))
    return container


def test_a_function_learns_how_a_run_has_ended():
    gate = Gate()
    container = container_with({"function": gate, "when": "all"})
    run_log = run(3, container=container, tag="nightly")
    ended = gate.wait()
    assert ended[:5] == (run_log.run_id, "SUCCESS", "daily", "nightly", "")
    assert ended.metrics == {"rows": 3}


def test_the_reason_is_that_of_the_step_not_of_those_around_it():
    gate, tried = Gate(), []

    def flaky():
        tried.append(1)
        if len(tried) == 1:
            raise ValueError("first try")

    def fail():
        raise ValueError("the cause")

    both = Parallel(
        name="both",
        branches={"a": PythonTask(name="bad", function=fail).as_pipeline()},
    )
    steps = [PythonTask(name="flaky", function=flaky, retries=1), both]
    with pytest.raises(ExecutionFailedError):
        Pipeline(steps=steps).execute(services=MEMORY, container=container_with(gate))
    assert gate.wait().error == "both.a.bad: ValueError: the cause"


def test_a_number_that_is_none_is_null_for_a_webhook(receiver):
    address = f"http://127.0.0.1:{receiver.server_port}/"
    step = PythonTask(name="s", function=lambda: float("nan"), returns=[metric("m")])
    container = container_with({"webhook": address, "when": "all"})
    step.as_pipeline().execute(services=MEMORY, container=container)
    assert receiver.gate.wait()[0]["metrics"] == {"m": None}


def test_without_more_words_it_is_called_after_failures_alone():
    gate = Gate()
    container = container_with(gate)
    run(3, container=container)
    with pytest.raises(ExecutionFailedError):
        run(-1, container=container, run_id="r2")
    ended = gate.wait()
    assert ended.text == "Run daily r2: FAIL: count: ValueError: no rows"
    assert len(gate.calls) == 1


def test_a_coroutine_function_is_awaited_and_does_not_hold_the_loop():
    gate = Gate()

    async def hook(ended):
        await asyncio.sleep(0)
        gate(ended)

    async def main():
        container = container_with({"function": hook, "when": "all"})
        await PIPELINE.execute_async(
            parameters={"rows": 1}, services=MEMORY, container=container
        )

    asyncio.run(main())
    assert gate.wait().status == "SUCCESS"


def test_a_hook_that_fails_is_logged_and_fails_no_run(caplog):
    def hook(ended):
        gate(ended)
        raise ValueError("not today")

    gate = Gate()
    container = container_with({"function": hook, "when": "all"})
    assert run(1, container=container).status == "SUCCESS"
    gate.wait()
    wait_for_threads()
    assert "not today" in caplog.text


def test_runs_that_are_nested_in_a_step_call_no_hook():
    gate = Gate()

    def outer():
        run(1)

    container = container_with({"function": gate, "when": "all"})
    flow = Pipeline(name="outer", steps=[PythonTask(name="s", function=outer)])
    flow.execute(services=MEMORY, container=container)
    gate.wait()
    assert [it.pipeline for it in gate.calls] == ["outer"]


def test_hooks_of_one_container_are_not_called_for_another():
    first, second = Gate(), Gate()
    run(1, container=container_with({"function": first, "when": "all"}))
    run(1, container=container_with({"function": second, "when": "all"}), run_id="r2")
    first.wait()
    assert second.wait().run_id == "r2"
    assert len(first.calls) == len(second.calls) == 1


def configure(text):
    Path("runnable-config.yaml").write_text(text)


def test_a_webhook_gets_json(receiver, monkeypatch):
    monkeypatch.setenv("RUNNABLE_VAR_token", "Bearer xyz")
    address = f"http://127.0.0.1:{receiver.server_port}/hooks/1"
    configure(
        f"on-run-end:\n  - webhook: {address}\n    headers:\n      Authorization: $token\n"
    )
    with pytest.raises(ExecutionFailedError):
        run(-1, run_id="r1")
    content, headers = receiver.gate.wait()
    assert content["text"] == "Run daily r1: FAIL: count: ValueError: no rows"
    assert content["status"] == "FAIL"
    assert headers["Authorization"] == "Bearer xyz"


def test_a_program_waits_for_its_hooks_before_it_ends(receiver):
    address = f"http://127.0.0.1:{receiver.server_port}/"
    configure(f"on_run_end:\n  - webhook: {address}\n    when: all\n")
    Path("script.py").write_text(
        "from runnable import Stub\nStub(name='s').as_pipeline().execute()\n"
    )
    subprocess.run([sys.executable, "script.py"], check=True)
    assert receiver.gate.calls[0][0]["status"] == "SUCCESS"


def test_a_webhook_does_not_send_its_headers_to_another_address(caplog):
    with Receiver(status=302) as server:
        address = f"http://127.0.0.1:{server.server_port}/secret-path"
        container = container_with({"webhook": address, "when": "all"})
        run(1, container=container)
        server.gate.wait()
        wait_for_threads()
        server.shutdown()
    assert "HTTP Error 302" in caplog.text
    assert "webhook of 127.0.0.1" in caplog.text
    assert "secret-path" not in caplog.text


class Secrets(BaseSecrets):
    service_name: str = "own"

    def get(self, name):
        return "hunter2-hunter2"


def test_a_secret_in_the_reason_is_masked():
    def leak():
        raise ValueError(f"cannot log in with {os.environ['TOKEN']}")

    gate = Gate()
    step = PythonTask(name="s", function=leak, secrets=["TOKEN"])
    flow = Pipeline(steps=[step])
    with pytest.raises(ExecutionFailedError):
        flow.execute(
            services={**MEMORY, "secrets": Secrets()}, container=container_with(gate)
        )
    assert gate.wait().error == "s: ValueError: cannot log in with ***"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("on_run_end: 3", "3 is no function, and no list"),
        ("on_run_end:\n  - {}", "give a `webhook`, or a `function`"),
        ("on_run_end:\n  - webhook: ftp://x", "begins with http or https"),
        ("on_run_end:\n  - function: nowhere:hook", "no function 'nowhere:hook'"),
        ("on_run_end:\n  - webhok: http://x", "webhok"),
        ("on_run_end:\n  - webhook: 'http://x/a secret'", "a blank"),
        (
            'on_run_end:\n  - {webhook: "http://x", headers: {A: "secret\\n"}}',
            "a line end",
        ),
        (
            "on_run_end:\n  - {webhook: 'http://x', when: never}",
            "'failed', 'succeeded'",
        ),
    ],
)
def test_a_wrong_hook_is_refused_before_the_run_starts(text, problem):
    configure(text)
    with pytest.raises(ConfigurationError) as caught:
        run(1)
    assert problem in str(caught.value)
    assert "on_run_end" in str(caught.value)


TOLD = []
"""What hooks of this module were called with, by their dotted names."""


def tell(ended):
    TOLD.append(ended)


def pipeline_with(*steps, **hooks):
    made = list(steps) or PIPELINE.steps
    return Pipeline(name="daily", steps=made, **hooks)


@pytest.fixture
def told():
    TOLD.clear()
    yield TOLD
    TOLD.clear()


def ended(pipeline, rows, **more):
    """Run a pipeline to its end, and wait for its hooks."""
    with contextlib.suppress(ExecutionFailedError):
        pipeline.execute(parameters={"rows": rows}, services=MEMORY, **more)
    wait_for_threads()


@pytest.mark.parametrize(
    ("rows", "called"), [(1, ["success", "step"]), (-1, ["failure", "step"])]
)
def test_hooks_of_a_pipeline(rows, called):
    calls = {"success": [], "failure": [], "step": []}
    pipeline = pipeline_with(
        on_success=calls["success"].append,
        on_failure=[calls["failure"].append],
        on_step=calls["step"].append,
    )
    ended(pipeline, rows, run_id="r1", tags={"team": "risk"})
    assert sorted(kind for kind, it in calls.items() if it) == sorted(called)
    (of_run,) = calls["success"] + calls["failure"]
    assert (of_run.run_id, of_run.pipeline) == ("r1", "daily")
    assert of_run.tags == {"team": "risk"}
    steps = [(it.step, it.status, it.attempt) for it in calls["step"]]
    status = "SUCCESS" if rows > 0 else "FAIL"
    assert steps[0] == ("count", status, 1)
    assert calls["step"][0].error == ("" if rows > 0 else "ValueError: no rows")
    assert 0 <= calls["step"][0].seconds < 60


def test_each_attempt_and_each_branch_is_told_in_order():
    calls, tried = [], []

    def flaky():
        tried.append(1)
        if len(tried) == 1:
            raise ValueError("first try")

    branch = PythonTask(name="flaky", function=flaky, retries=1).as_pipeline()
    both = Parallel(name="both", branches={"a": branch})
    pipeline_with(both, on_step=calls.append).execute(services=MEMORY)
    wait_for_threads()
    steps = [(it.step, it.status, it.attempt) for it in calls]
    assert steps[:2] == [("both.a.flaky", "FAIL", 1), ("both.a.flaky", "SUCCESS", 2)]
    assert ("both", "SUCCESS", 0) in steps


def test_many_steps_are_told_one_after_the_other():
    calls, active = [], []

    def slow(ended):
        active.append(1)
        assert len(active) == 1
        calls.append(ended.step)
        active.pop()

    steps = [PythonTask(name=f"s{n}", function=lambda: None) for n in range(50)]
    pipeline_with(*steps, on_step=slow).execute(services=MEMORY)
    wait_for_threads()
    assert calls[:50] == [f"s{n}" for n in range(50)]


def test_by_name_and_by_coroutine_function(told):
    async def later(ended):
        await asyncio.sleep(0)
        TOLD.append(ended)

    name = f"{__name__}:tell"
    ended(pipeline_with(on_success=[name, later]), 1)
    assert [it.status for it in told] == ["SUCCESS", "SUCCESS"]


def test_a_webhook_of_a_pipeline(receiver):
    address = f"http://127.0.0.1:{receiver.server_port}/x"
    ended(pipeline_with(on_step={"webhook": address}), 1)
    content, _ = receiver.gate.calls[0]
    assert (content["step"], content["text"]) == (
        "count",
        f"Run {content['run_id']}, step count: SUCCESS",
    )


def test_a_hook_that_fails_changes_nothing(caplog):
    def broken(ended):
        raise ValueError("broken hook")

    ended(pipeline_with(on_step=broken, on_success=broken), 1)
    assert caplog.text.count("broken hook") >= 2


def test_hooks_are_those_of_a_run_not_of_a_branch():
    calls = []
    inner = pipeline_with(on_success=calls.append, on_step=calls.append)
    ended(Pipeline(steps=[Parallel(name="p", branches={"a": inner})]), 1)
    assert calls == []


def test_a_nested_run_has_its_own_hooks():
    calls, outer_calls = [], []
    inner = pipeline_with(on_success=calls.append)

    def nested():
        inner.execute(parameters={"rows": 1}, services=MEMORY)

    step = PythonTask(name="outer", function=nested)
    Pipeline(steps=[step], on_success=outer_calls.append).execute(services=MEMORY)
    wait_for_threads()
    assert len(calls) == len(outer_calls) == 1


@pytest.mark.parametrize(
    ("hooks", "problem"),
    [
        ({"on_failure": 3}, "on_failure: 3 is no function"),
        ({"on_failure": PIPELINE}, "is no function"),
        ({"on_step": [print, None]}, "on_step: None is no function"),
    ],
)
def test_what_cannot_be_called_is_refused_when_the_pipeline_is_built(hooks, problem):
    with pytest.raises(SettingsError, match=problem):
        pipeline_with(**hooks)


@pytest.mark.parametrize("name", ["nowhere:hook", "hook"])
def test_a_name_that_names_nothing_is_refused_before_the_run_starts(name):
    pipeline = pipeline_with(on_success=name)
    with pytest.raises(ConfigurationError, match=f"on_success: .*{name}"):
        pipeline.execute(parameters={"rows": 1}, services=MEMORY, run_id="r1")


def test_hooks_of_the_configuration(told):
    name = f"{__name__}:tell"
    configure(f"on-success: {name}\non_failure: [{name}]\non_step:\n- {name}\n")
    for rows in (1, -1):
        with contextlib.suppress(ExecutionFailedError):
            run(rows)
        wait_for_threads()
    kinds = [(type(it).__name__, it.status) for it in told]
    assert kinds.count(("RunEnded", "SUCCESS")) == 1
    assert kinds.count(("RunEnded", "FAIL")) == 1
    assert ("StepEnded", "SUCCESS") in kinds
    configure(f"on_success:\n- {{function: '{name}', when: all}}\n")
    with pytest.raises(ConfigurationError, match="the key itself says when"):
        run(1)


def test_hooks_of_a_container():
    from containers import RunContainer

    container, calls = RunContainer(), []
    container.on_step.override(calls.append)
    container.on_success.override([calls.append])
    run(1, container=container)
    wait_for_threads()
    assert {type(it).__name__ for it in calls} == {"StepEnded", "RunEnded"}


FILE = """\
dag:
  start_at: root
  on_success: HOOK
  steps:
    root: {type: task, command: math.sqrt, returns: [y], next: success}
"""


def test_hooks_of_a_file(told, tmp_path):
    file = tmp_path / "p.yaml"
    file.write_text(FILE.replace("HOOK", f"{__name__}:tell"))
    load_pipeline(file).execute(parameters={"x": 4}, services=MEMORY)
    wait_for_threads()
    assert [it.status for it in told] == ["SUCCESS"]
    file.write_text(FILE.replace("HOOK", "3"))
    with pytest.raises(PipelineFileError, match=r"p\.yaml:3:3: on_success: 3 is no"):
        load_pipeline(file)


def test_check_finds_hooks_that_are_not_there(tmp_path):
    file = tmp_path / "p.yaml"
    file.write_text(FILE.replace("HOOK", "nowhere:hook"))
    command = [sys.executable, "-m", "runnable.cli", "check", str(file)]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "RUNNABLE_PRM_x": "4"},
    )
    assert done.returncode != 0
    assert "there is no function 'nowhere:hook'" in done.stdout + done.stderr
