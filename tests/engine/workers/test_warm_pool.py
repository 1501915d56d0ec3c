"""Worker processes that outlive a run: as good as new ones, or not taken again."""

import os
import threading
import time
from pathlib import Path

import pytest
from dependency_injector import providers

from containers import RunContainer
from runnable import Parallel, PythonTask, metric
from runnable.engine.workers.pool import Worker, Workers
from runnable.engine.workers.warm_pool import WarmWorkers
from runnable.exceptions import ExecutionFailedError


@pytest.fixture
def warm():
    warm = WarmWorkers()
    yield warm
    warm.close()


@pytest.fixture
def executed(warm, in_memory):
    """Execute one isolated task in a run of its own; return what it returned."""
    container = RunContainer()
    container.warm_workers.override(providers.Object(warm))

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


def test_the_next_run_takes_the_worker_of_the_one_before(executed):
    first = executed(pid)
    assert executed(pid) == executed(pid) == first != os.getpid()


def test_runs_at_once_have_a_worker_each(executed, warm):
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
    first = executed(pid)
    assert executed(seen)[0] == "red"
    monkeypatch.setenv("COLOUR", "blue")
    monkeypatch.syspath_prepend("/elsewhere")
    colour, path, run_id = executed(seen)
    assert (colour, path) == ("blue", "/elsewhere")
    monkeypatch.delenv("COLOUR")
    again = executed(seen)
    assert again[0] is None
    assert again[2] != run_id
    assert executed(pid) == first


def test_branches_have_the_working_directory_of_now(warm, in_memory, monkeypatch):
    container = RunContainer()
    container.warm_workers.override(providers.Object(warm))
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

    first, one = executed(value)
    again, two = executed(value)
    assert (first, again) == (1, 1)
    assert one == two
    Path("changing.py").write_text("VALUE = 22\n")
    changed, three = executed(value)
    assert changed == 22
    assert three != one
    assert not is_alive(one)


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


def test_secrets_and_objects_of_a_run_are_not_those_of_the_next(executed, monkeypatch):
    monkeypatch.setenv("TOKEN", "correct-horse-staple")
    first = executed(lambda: os.getpid(), secrets=["TOKEN"])

    def look():
        return [os.getpid(), "correct-" + "horse-staple"]

    assert executed(look) == [first, "correct-horse-staple"]


def die():
    os._exit(3)


def fail():
    raise ValueError(str(os.getpid()))


def test_after_an_error_it_is_taken_again_and_a_dead_one_is_not(executed):
    with pytest.raises(ExecutionFailedError) as caught:
        executed(fail)
    assert str(executed(pid)) in str(caught.value)
    with pytest.raises(ExecutionFailedError, match="exit status 3"):
        executed(die)
    assert executed(pid) != os.getpid()


def test_one_that_was_interrupted_is_not_taken_again(executed):
    slow = executed(pid)
    with pytest.raises(ExecutionFailedError, match=r"0\.5"):
        executed(lambda: time.sleep(60), timeout_seconds=0.5)
    assert executed(pid) > 0
    assert slow > 0


def test_no_more_are_kept_than_the_limit_and_none_for_long():
    warm = WarmWorkers(limit=1, idle_seconds=0.2)
    workers = [Worker(), Worker()]
    (left,) = warm.give_back(workers)
    assert left is workers[1]
    left.close()
    kept = workers[0]
    end = time.monotonic() + 30
    while kept._process.poll() is None:
        assert time.monotonic() < end
        time.sleep(0.05)
    assert warm.take() is None


def test_a_pool_that_keeps_none():
    warm = WarmWorkers(limit=0)
    workers = Workers(warm)
    worker = workers.take()
    workers.give_back(worker)
    workers.close()
    assert worker._process.returncode == 0
    assert warm.take() is None


def test_one_that_has_died_meanwhile_is_not_taken(warm):
    worker = Worker()
    warm.give_back([worker])
    worker.kill()
    worker._process.wait()
    assert warm.take() is None


def test_a_forked_process_takes_none_of_its_parent(warm):
    warm.give_back([Worker()])
    child = os.fork()
    if not child:
        os._exit(0 if warm.take() is None else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    worker = warm.take()
    assert worker is not None
    worker.close()


def test_metrics_and_results_come_back(executed):
    run_log = executed(
        lambda: (1, 0.5),
        returns=["x", metric("score")],
        services={"run_log_store": {"type": "memory"}},
    )
    assert run_log == 1
