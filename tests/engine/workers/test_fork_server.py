"""Worker processes are forked: fast, and as good as new ones."""

import os
import signal
import threading
import time
from pathlib import Path

import pytest
from dependency_injector import providers

from containers import RunContainer
from runnable import Parallel, PythonTask, metric
from runnable.engine.workers.fork_server import ForkServer
from runnable.engine.workers.pool import Worker
from runnable.exceptions import ExecutionFailedError


@pytest.fixture
def executed(server, in_memory):
    """Execute one isolated task in a run of its own; return what it returned."""
    container = RunContainer()
    container.fork_server.override(providers.Object(server))

    def execute(function, services=in_memory, returns=("x",), **settings):
        step = PythonTask(
            name="s",
            function=function,
            returns=list(returns),
            workspace="isolated",
            **settings,
        )
        run_log = step.as_pipeline().execute(services=services, container=container)
        return run_log.parameters["x"].value if returns else run_log

    return execute


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()


def pid():
    return os.getpid()


def test_each_run_has_a_process_that_is_as_good_as_new(executed):
    pids = [executed(pid) for _ in range(3)]
    assert len({*pids, os.getpid()}) == 4
    assert not any(map(is_alive, pids))


def test_runs_at_once_have_a_worker_each(executed):
    pids, barrier = [], threading.Barrier(2)

    def run():
        barrier.wait()
        pids.append(executed(lambda: (time.sleep(0.3), os.getpid())[1]))

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(pids)) == 2


def seen():
    import sys

    return [os.environ.get("COLOUR"), sys.path[0], os.environ["RUNNABLE_RUN_ID"]]


def test_it_has_the_environment_and_the_import_path_of_now(executed, monkeypatch):
    monkeypatch.setenv("COLOUR", "red")
    assert executed(seen)[0] == "red"
    monkeypatch.setenv("COLOUR", "blue")
    monkeypatch.syspath_prepend("/elsewhere")
    colour, path, run_id = executed(seen)
    assert (colour, path) == ("blue", "/elsewhere")
    monkeypatch.delenv("COLOUR")
    again = executed(seen)
    assert again[0] is None
    assert again[2] != run_id


def test_branches_have_the_working_directory_of_now(server, in_memory, monkeypatch):
    container = RunContainer()
    container.fork_server.override(providers.Object(server))
    step = PythonTask(name="s", function=os.getcwd, returns=["folder"])
    step = Parallel(name="p", branches={"a": step.as_pipeline()}, parallelism="process")
    for name in ("one", "two"):
        Path(name).mkdir()
        with monkeypatch.context() as patch:
            patch.chdir(name)
            run_log = step.as_pipeline().execute(
                services=in_memory, container=container
            )
            assert run_log.parameters["folder"].value == os.getcwd()


def test_a_module_that_has_changed_is_imported_anew(executed, monkeypatch):
    monkeypatch.syspath_prepend(os.getcwd())
    Path("changing.py").write_text("VALUE = 1\n")

    def value():
        import changing

        return [changing.VALUE, os.getpid()]

    assert executed(value)[0] == 1
    Path("other.py").write_text("VALUE = 22\n")
    before = Path("changing.py").stat().st_mtime
    os.utime("other.py", (before - 100, before - 100))
    os.replace("other.py", "changing.py")  # an older file, as `mv` leaves it
    assert executed(value)[0] == 22


def leave_a_thread():
    def talk():
        while True:
            print("from an earlier run")
            time.sleep(0.01)

    threading.Thread(target=talk, daemon=True).start()
    return os.getpid()


def test_a_thread_that_is_left_reaches_no_other_run(executed, capsys):
    first = executed(leave_a_thread)
    capsys.readouterr()
    assert executed(lambda: (time.sleep(0.2), os.getpid())[1]) != first
    assert "earlier" not in capsys.readouterr().out
    assert not is_alive(first)


def test_what_a_module_keeps_is_gone_with_the_run(executed):
    def use():
        import logging
        import random
        import signal

        logging.basicConfig(filename="run.log")
        signal.alarm(1)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        folder = os.environ["RUNNABLE_CALLER_DIRECTORY"]
        left_open = open(f"{folder}/left.txt", "w")  # noqa: SIM115 - it is left open
        left_open.write("written")
        globals()["_left_open"] = left_open
        random.seed(1)
        return random.random()

    def look():
        import logging
        import random
        import signal
        import time

        time.sleep(1.5)
        return [
            len(logging.getLogger().handlers),
            signal.getsignal(signal.SIGTERM) == signal.SIG_IGN,
            random.random(),
        ]

    executed(use)
    assert Path("left.txt").read_text() == "written"
    handlers, ignores, first = executed(look)
    assert (handlers, ignores) == (0, False)
    assert executed(look)[2] != first


def die():
    os._exit(3)


def fail():
    raise ValueError(str(os.getpid()))


def test_the_end_of_a_process_is_reported(executed):
    with pytest.raises(ExecutionFailedError, match="exit status 3"):
        executed(die)
    with pytest.raises(ExecutionFailedError, match="signal 9"):
        executed(lambda: os.kill(os.getpid(), signal.SIGKILL))
    with pytest.raises(ExecutionFailedError, match=r"ValueError: \d"):
        executed(fail)
    assert executed(pid) != os.getpid()


def test_a_server_that_has_died_is_started_again(executed, server):
    executed(pid)
    server._server.kill()
    server._server.wait()
    assert executed(pid) != os.getpid()


def test_it_ends_when_nobody_needs_it():
    server = ForkServer(idle_seconds=0.2)
    Worker(server).close()
    process = server._server
    end = time.monotonic() + 30
    while process.poll() is None:
        assert time.monotonic() < end
        time.sleep(0.05)
    worker = Worker(server)
    worker.close()
    assert worker._process.returncode == 0
    server.close()


def test_a_forked_process_has_a_server_of_its_own(server):
    Worker(server).close()
    child = os.fork()
    if not child:
        worker = Worker(server)
        worker.close()
        os._exit(worker._process.returncode)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    Worker(server).close()


def test_what_programs_of_a_task_print_goes_where_it_goes_now(executed, capfd):
    for number in range(2):
        executed(lambda number=number: os.write(1, f"raw {number}\n".encode()))
        assert capfd.readouterr().out == f"raw {number}\n"


def test_no_descriptors_are_left(executed):
    executed(pid)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        executed(pid)
    assert len(os.listdir("/proc/self/fd")) == before


def test_metrics_and_results_come_back(executed):
    run_log = executed(
        lambda: (1, 0.5),
        returns=["x", metric("score")],
        services={"run_log_store": {"type": "memory"}},
    )
    assert run_log == 1
