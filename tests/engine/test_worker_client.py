"""Branches in worker processes."""

import os
import signal
import sys
from pathlib import Path

import pytest

from containers import OncePerRun, RunContainer, container
from runnable import (
    ExecutionFailedError,
    Map,
    Parallel,
    Pipeline,
    Provide,
    PythonTask,
    get_run_log,
    inject,
    pickled,
)
from runnable.exceptions import BranchesFailedError, RunError, WorkerError
from runnable.secrets import BaseSecrets


def mapped(function, *returns, **more):
    task = PythonTask(name="s", function=function, returns=list(returns), **more)
    return Map(
        name="m",
        branch=task.as_pipeline(),
        iterate_on="xs",
        iterate_as="x",
        parallelism="process",
        max_workers=2,
    )


def run(step, services, xs=(1, 2, 3), **more):
    steps = step if isinstance(step, list) else [step]
    return Pipeline(steps=steps).execute(
        parameters={"xs": list(xs)}, services=services, **more
    )


def test_they_are_started_once_and_serve_many_branches(in_memory):
    def pid(x):
        import os

        return os.getpid()

    pids = run(mapped(pid, "pid"), in_memory, range(20)).parameters["pid"].value
    assert len(set(pids)) <= 2
    assert os.getpid() not in pids


def test_the_environment_and_secrets_of_a_step(in_memory, monkeypatch):
    monkeypatch.setenv("TOKEN", "s3cret")

    def look(x):
        import os

        from runnable.context import get_run_context

        return [
            os.environ["RUNNABLE_RUN_ID"],
            os.environ["TOKEN"][::-1],
            get_run_context().run_id,
            get_run_context().tag,
        ]

    run_log = run(
        mapped(look, "seen", secrets=["TOKEN"]), in_memory, run_id="r1", tag="t"
    )
    assert run_log.parameters["seen"].value == [["r1", "terc3s", "r1", "t"]] * 3


def test_services_come_along(in_memory):
    # Defined here, so that it travels by value.
    class Vault(BaseSecrets):
        place: str = "the vault"

        def get(self, name):
            return f"{name} of {self.place}"

    @inject
    def look(x, *, secrets: BaseSecrets = Provide["secrets"]):
        return secrets.get("x").upper()  # as it is, it would be masked

    vault = Vault(place="mine")
    run_log = run(mapped(look, "seen"), {**in_memory, "secrets": vault})
    assert run_log.parameters["seen"].value == ["X OF MINE"] * 3
    with container.secrets.override(Vault(place="theirs")):
        run_log = run(mapped(look, "seen"), in_memory)
    assert run_log.parameters["seen"].value == ["X OF THEIRS"] * 3


@pytest.mark.parametrize("catalog", ["file-system", "do-nothing"])
def test_objects_go_there_and_come_back(catalog):
    def make(x):
        return lambda: x

    def use(make, made, x):
        return made() * 10 + make()

    branch = Pipeline(
        steps=[
            PythonTask(name="make", function=make, returns=[pickled("made")]),
            PythonTask(name="use", function=use, returns=["used"]),
        ]
    )
    outer = PythonTask(name="o", function=lambda: lambda: 7, returns=[pickled("make")])
    step = Map(
        name="m",
        branch=branch,
        iterate_on="xs",
        iterate_as="x",
        parallelism="process",
        max_workers=2,
    )
    run_log = run(
        [outer, step],
        {"run_log_store": {"type": "memory"}, "catalog": {"type": catalog}},
    )
    assert run_log.parameters["used"].value == [17, 27, 37]
    assert [made() for made in run_log.parameters["made"].get_value()] == [1, 2, 3]


def test_output_appears_here_and_in_the_execution_log(capsys):
    def talk(x):
        import sys

        print(f"out {x}")
        print(f"err {x}", file=sys.stderr)

    run_log = run(mapped(talk), {}, run_id="r1")
    captured = capsys.readouterr()
    assert sorted(captured.out.split("\n"))[1:] == ["out 1", "out 2", "out 3"]
    assert sorted(captured.err.split("\n"))[1:] == ["err 1", "err 2", "err 3"]
    for x in (1, 2, 3):
        (log,) = Path(".catalog/r1").glob(f"m{x}s???.execution.log")
        assert log.read_text() == f"out {x}\nerr {x}\n"
    assert run_log.status == "SUCCESS"


def test_records_of_a_worker_are_written_by_the_run(in_memory):
    """In the file-system store too, and one journal has it all."""
    run_log = run(mapped(lambda x: x, "y"), {}, run_id="r1")
    assert get_run_log("r1") == run_log
    assert [it.name for it in Path(".run_log_store").iterdir()] != []
    assert len(list(Path(".run_log_store").glob("r1.*.jsonl"))) == 1


@pytest.mark.parametrize("way", ["kill", "exit"])
def test_a_worker_that_dies_fails_its_branch(way, in_memory):
    def die(x, way):
        import os
        import signal

        if x == 2:
            if way == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            os._exit(7)
        return x

    with pytest.raises(ExecutionFailedError) as caught:
        Pipeline(steps=[mapped(die, "y")]).execute(
            parameters={"xs": [1, 2, 3, 4], "way": way}, services=in_memory
        )
    error = caught.value.__cause__
    assert isinstance(error, BranchesFailedError)
    assert error.branches == ["m.2"]
    (reason,) = error.exceptions
    assert isinstance(reason, WorkerError)
    assert ("signal 9" if way == "kill" else "exit status 7") in str(reason)
    run_log = caught.value.run_log
    statuses = {
        name: branch.status for name, branch in run_log.steps["m"].branches.items()
    }
    assert statuses == {
        "m.1": "SUCCESS",
        "m.2": "FAIL",
        "m.3": "SUCCESS",
        "m.4": "SUCCESS",
    }
    step = run_log.search_step_by_internal_name("m.2.s")[0]
    assert step.status == "FAIL"
    assert "worker process has ended" in step.attempts[0].message


def test_the_error_of_an_unpicklable_branch_names_it(in_memory):
    lock = __import__("threading").Lock()

    def locked(x):
        with lock:
            return x

    with pytest.raises(ExecutionFailedError, match="cannot be sent") as caught:
        run(mapped(locked, "y"), in_memory)
    assert "parallelism: thread" in str(caught.value.__cause__.exceptions[0])


def test_the_error_of_an_unloadable_branch_names_it(in_memory):
    class Unloadable:
        def __reduce__(self):
            return (int, ("no number",))

    here = Unloadable()
    with pytest.raises(ExecutionFailedError, match="cannot load its work"):
        run(mapped(lambda x: here, "y"), in_memory)


def test_errors_come_back_as_they_are_or_as_text(in_memory):
    class Complicated(Exception):
        def __init__(self, first, second):
            super().__init__(f"{first} and {second}")

    def fail(x):
        if x == 1:
            raise KeyError("plain")
        raise Complicated(1, 2)

    with pytest.raises(ExecutionFailedError) as caught:
        run(mapped(fail), in_memory, (1, 2))
    plain, complicated = caught.value.__cause__.exceptions
    assert isinstance(plain, KeyError)
    assert plain.__notes__ == ["in step 'm.1.s', attempt 1"]
    assert type(complicated) is RunError
    assert "Complicated: 1 and 2" in str(complicated)
    step = caught.value.run_log.search_step_by_internal_name("m.1.s")[0]
    assert "in fail" in step.attempts[0].traceback


def test_a_value_that_is_none_of_json_fails_there_too(in_memory):
    with pytest.raises(ExecutionFailedError, match="which is no JSON value"):
        run(mapped(lambda x: object(), "y"), in_memory)


def test_branches_of_branches(in_memory):
    inner = mapped(lambda x, n: x * n, "y")
    step = Map(
        name="outer",
        branch=inner.as_pipeline(),
        iterate_on="ns",
        iterate_as="n",
        parallelism="process",
        max_workers=2,
    )
    run_log = Pipeline(steps=[step]).execute(
        parameters={"xs": [1, 2], "ns": [10, 20]}, services=in_memory
    )
    assert run_log.parameters["y"].value == [[10, 20], [20, 40]]


def test_a_container_of_the_application(in_memory, monkeypatch):
    Path("application.py").write_text(
        "from containers import OncePerRun, RunContainer\n"
        "class App(RunContainer):\n"
        "    session = OncePerRun('session of {}'.format, RunContainer.run_id)\n"
    )
    monkeypatch.syspath_prepend(str(Path.cwd()))
    from application import App

    @inject
    def use(x, *, session: str = Provide["session"]):
        return session

    run_log = run(mapped(use, "used"), in_memory, run_id="r1", container=App())
    assert run_log.parameters["used"].value == ["session of r1"] * 3

    class Local(RunContainer):
        session = OncePerRun(dict)

    with pytest.raises(ExecutionFailedError, match="in a module that can be imported"):
        run(mapped(use, "used"), in_memory, container=Local())


def test_the_script_is_not_run_again(tmp_path):
    """What a script defines travels by value, classes of its own among them."""
    import subprocess

    script = tmp_path / "script.py"
    script.write_text(
        "from runnable import *\n"
        "print('the script runs')\n"
        "class Made:\n"
        "    def __init__(self, x): self.x = x\n"
        "def make(x): return Made(x)\n"
        "branch = PythonTask(name='s', function=make, returns=[pickled('made')])\n"
        "step = Map(name='m', branch=branch.as_pipeline(), iterate_on='xs',\n"
        "           iterate_as='x', parallelism='process')\n"
        "run_log = Pipeline(steps=[step]).execute(parameters={'xs': [1, 2]})\n"
        "made = run_log.parameters['made'].get_value()\n"
        "assert all(type(it) is Made for it in made)\n"
        "print([it.x for it in made])\n"
    )
    finished = subprocess.run(
        [sys.executable, str(script)],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    assert finished.stdout == "the script runs\n[1, 2]\n"


def test_a_conflict_in_a_worker_is_reported(in_memory, caplog):
    one = PythonTask(name="s", function=lambda: 1, returns=["v"]).as_pipeline()
    two = PythonTask(name="s", function=lambda: 2, returns=["v"]).as_pipeline()
    inner = Parallel(name="p", branches={"a": one, "b": two}).as_pipeline()
    outer = Parallel(name="o", branches={"a": inner, "b": one}, parallelism="process")
    run_log = Pipeline(steps=[outer]).execute(services=in_memory)
    assert run_log.parameters["v"].value == 1
    inner_log = run_log.search_step_by_internal_name("o.a.p")[0]
    assert "both set parameter 'v'" in inner_log.message


def test_a_signal_to_a_worker_alone(in_memory):
    """Somebody ends one worker: its branch fails, the others go on."""

    def end(x):
        import os
        import signal

        if x == 1:
            os.kill(os.getpid(), signal.SIGTERM)
            import time

            time.sleep(60)
        return x

    with pytest.raises(ExecutionFailedError) as caught:
        run(mapped(end, "y"), in_memory)
    assert caught.value.__cause__.branches == ["m.1"]
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_an_earlier_failure_need_not_be_picklable(in_memory):
    import threading

    class Locked(Exception):
        pass

    def fail():
        error = Locked("held")
        error.lock = threading.Lock()
        raise error

    first = PythonTask(name="first", function=fail)
    first.on_failure = Pipeline(steps=[mapped(lambda x: x, "y")])
    run_log = run(first, in_memory)
    assert run_log.parameters["y"].value == [1, 2, 3]


def test_the_error_of_an_unpicklable_object_names_it(in_memory):
    import threading

    step = mapped(lambda x: threading.Lock(), pickled("made"))
    with pytest.raises(ExecutionFailedError, match="cannot send back") as caught:
        run(step, in_memory)
    assert caught.value.run_log.steps["m"].status == "FAIL"


def test_bytes_can_be_written_to_standard_output(in_memory, capsys):
    def talk(x):
        import sys

        sys.stdout.buffer.write("grün\n".encode())
        sys.stdout.buffer.flush()

    run(mapped(talk), in_memory, (1, 2))
    assert capsys.readouterr().out == "grün\ngrün\n"


def test_the_outer_scope_is_sent_once(in_memory):
    """A long list that all branches can see is not sent with each of them."""
    items = ["x" * 1000 for _ in range(300)]

    def size(x, xs):
        return len(xs)

    run_log = run(mapped(size, "n"), in_memory, items)
    assert run_log.parameters["n"].value == [300] * 300


def test_objects_in_memory_travel_while_others_arrive(in_memory):
    """Each branch gets those that it can ask for, whatever its siblings make."""

    def make(x):
        class Slow:
            def __reduce__(self):
                return (str, (f"object {x}",))

        return Slow()

    first = PythonTask(name="f", function=lambda: [7], returns=[pickled("shared")])
    branch = Pipeline(
        steps=[
            PythonTask(name="make", function=make, returns=[pickled("made")]),
            PythonTask(
                name="use", function=lambda shared, x: shared[0] + x, returns=["y"]
            ),
        ]
    )
    step = Map(
        name="m",
        branch=branch,
        iterate_on="xs",
        iterate_as="x",
        parallelism="process",
        max_workers=4,
    )
    run_log = run([first, step], in_memory, range(60))
    assert run_log.parameters["y"].value == [7 + x for x in range(60)]
    assert run_log.parameters["made"].get_value()[59] == "object 59"


def test_a_worker_that_dies_is_missed_although_its_children_live(in_memory):
    def leave_a_child(x):
        import os
        import time

        if x == 1:
            child = os.fork()
            if not child:
                time.sleep(600)
                os._exit(0)
            with open("child", "w") as file:
                file.write(str(child))
            os._exit(3)
        return x

    with pytest.raises(ExecutionFailedError, match="exit status 3"):
        run(mapped(leave_a_child, "y"), in_memory)
    # It lives still, and with it its copy of the line.
    os.kill(int(Path("child").read_text()), signal.SIGKILL)


def test_output_of_finalizers_is_passed_on(in_memory, capsys):
    def litter(x):
        import gc

        class Loud:
            def __init__(self):
                self.me = self

            def __del__(self):
                print("gone")

        gc.set_threshold(5)
        for _ in range(50):
            Loud()
        gc.set_threshold(700, 10, 10)
        gc.collect()
        return x

    run_log = run(mapped(litter, "y"), in_memory)
    assert run_log.parameters["y"].value == [1, 2, 3]
    assert capsys.readouterr().out.count("gone\n") >= 100
