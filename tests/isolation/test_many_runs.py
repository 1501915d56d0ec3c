"""A thousand runs of one pipeline in one process see nothing of each other.

Every run has its own parameters, secrets, services and run id. Each of its tasks looks
around, in the places where another run's values could be, and what it saw is compared
with what it should have seen. A sampler reads the environment all the while.
"""

import asyncio
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydantic import PrivateAttr

from containers import container
from runnable import Pipeline, Provide, PythonTask, get_run_log, inject, pickled
from runnable.catalog.file_system import FileSystemCatalog
from runnable.context import PipelineContext, get_run_context, set_run_context
from runnable.datastore.memory import MemoryRunLogStore
from runnable.secrets import BaseSecrets

RUNS = 1000
THREADS = 16


class TenantSecrets(BaseSecrets):
    """Secrets of one tenant only."""

    service_name: str = "tenant"
    _value: str = PrivateAttr()

    def __init__(self, value: str) -> None:
        super().__init__()
        self._value = value

    def get(self, name: str) -> str:
        return self._value


@inject
def where(
    *, run_id: str = Provide["run_id"], secrets: BaseSecrets = Provide["secrets"]
):
    return run_id, secrets.get("TOKEN")


def pause():
    if random.random() < 0.05:
        time.sleep(0.0005)  # lets other threads in


def look(number: int) -> dict:
    """Look at everything that belongs to a run."""
    print(f"number {number}")
    pause()
    run_id, secret = where()
    context = get_run_context()
    return {
        "number": number,
        "run_id": run_id,
        # Backwards, since a secret itself would be masked in the run log.
        "secret": secret[::-1],
        "context": context.run_id,
        "tag": context.tag,
        "environment": [
            os.environ["RUNNABLE_RUN_ID"],
            os.getenv("RUNNABLE_RUN_TAG"),
            os.environ.copy()["TOKEN"][::-1],
        ],
    }


def make(number: int) -> object:
    return lambda: number  # an object no two runs share


def use(made, number: int) -> int:
    print(f"made {made()}", file=sys.stderr)
    pause()
    return made() - number


PIPELINE = Pipeline(
    steps=[
        PythonTask(name="look", function=look, returns=["seen"], secrets=["TOKEN"]),
        PythonTask(name="make", function=make, returns=[pickled("made")]),
        PythonTask(name="use", function=use, returns=["difference"]),
    ]
)


def options(number: int, catalog_root: Path, stores: list) -> dict:
    """The arguments of run `number`; services differ between runs in kind too."""
    services = {
        "run_log_store": stores[number % len(stores)],
        "secrets": TenantSecrets(f"secret-{number}"),
        "catalog": (
            {"type": "do-nothing"}
            if number % 3
            else FileSystemCatalog(catalog_location=str(catalog_root / str(number)))
        ),
    }
    return {
        "run_id": f"run-{number}",
        "tag": f"tag-{number}",
        "parameters": {"number": number},
        "services": services,
    }


def problems(number: int, run_log, catalog_root: Path) -> list[str]:
    """Compare what a run saw with what it should have seen."""
    found = []
    expected = {
        "number": number,
        "run_id": f"run-{number}",
        "secret": f"secret-{number}"[::-1],
        "context": f"run-{number}",
        "tag": f"tag-{number}",
        "environment": [
            f"run-{number}",
            f"tag-{number}",
            f"secret-{number}"[::-1],
        ],
    }
    values = {name: it.value for name, it in run_log.parameters.items()}
    if values.get("seen") != expected:
        found.append(f"run {number} saw {values.get('seen')}")
    if values.get("difference") != 0 or run_log.run_id != f"run-{number}":
        found.append(f"run {number} used another run's object")
    if set(run_log.steps) != {"look", "make", "use", "success"}:
        found.append(f"run {number} has the steps {list(run_log.steps)}")
    if number % 3 == 0:
        folder = catalog_root / str(number) / f"run-{number}"
        text = "".join(path.read_text() for path in sorted(folder.glob("*.log")))
        if text != f"number {number}\nmade {number}\n":
            found.append(f"run {number} captured {text!r}")
    return found


@contextmanager
def sampled_environment() -> Iterator[list[str]]:
    """Read the environment, as others see it, until the block ends."""
    before = dict(os.environ)
    changes: list[str] = []
    stop = threading.Event()

    def sample() -> None:
        while not stop.is_set():
            try:
                if dict(os.environ) != before:
                    changes.append(str(set(os.environ.items()) ^ set(before.items())))
            except RuntimeError as error:  # it changed while it was read
                changes.append(str(error))
            time.sleep(0)

    sampler = threading.Thread(target=sample)
    sampler.start()
    try:
        yield changes
    finally:
        stop.set()
        sampler.join()
    if dict(os.environ) != before:
        changes.append("afterwards")


def run_in_threads(catalog_root: Path, count: int = RUNS) -> list[str]:
    stores = [MemoryRunLogStore() for _ in range(5)]

    def run(number: int) -> list[str]:
        run_log = PIPELINE.execute(**options(number, catalog_root, stores))
        leaks = [] if get_run_context() is None else [f"run {number} is still current"]
        return [*problems(number, run_log, catalog_root), *leaks]

    with ThreadPoolExecutor(THREADS) as pool:
        found = [problem for each in pool.map(run, range(count)) for problem in each]
    kept = sorted(run_id for store in stores for run_id in store.list_run_ids())
    if kept != sorted(f"run-{number}" for number in range(count)):
        found.append("the stores do not have each run once")
    return found


def test_from_sixteen_threads(tmp_path, capfd):
    with sampled_environment() as changes:
        assert run_in_threads(tmp_path) == []
    assert changes == []


async def test_from_a_thousand_asyncio_tasks(tmp_path, capfd):
    stores = [MemoryRunLogStore() for _ in range(5)]

    async def run(number: int) -> list[str]:
        run_log = await PIPELINE.execute_async(**options(number, tmp_path, stores))
        assert get_run_context() is None
        return problems(number, run_log, tmp_path)

    with sampled_environment() as changes:
        found = await asyncio.gather(*(run(number) for number in range(RUNS)))
    assert [problem for each in found for problem in each] == []
    assert changes == []


async def test_coroutines_of_many_runs_interleave_on_one_loop(in_memory):
    """Every task suspends while all the others are in the same place."""

    async def look_twice(number: int) -> bool:
        before = (where(), os.environ["TOKEN"])
        for _ in range(3):
            await asyncio.sleep(0)
        after = (where(), os.environ["TOKEN"])
        own = (f"run-{number}", f"secret-{number}")
        return before == after == (own, own[1])

    pipeline = Pipeline(
        steps=[
            PythonTask(
                name="s", function=look_twice, returns=["same"], secrets=["TOKEN"]
            )
        ]
    )

    async def run(number: int) -> bool:
        run_log = await pipeline.execute_async(
            run_id=f"run-{number}",
            parameters={"number": number},
            services={**in_memory, "secrets": TenantSecrets(f"secret-{number}")},
        )
        return run_log.parameters["same"].value

    assert all(await asyncio.gather(*(run(number) for number in range(RUNS))))


def test_one_after_the_other(tmp_path, capfd):
    stores = [MemoryRunLogStore()]
    found = []
    for number in range(RUNS):
        run_log = PIPELINE.execute(**options(number, tmp_path, stores))
        found += problems(number, run_log, tmp_path)
    assert found == []
    assert type(sys.stdout).__name__ != "RoutedStream"


def break_current_run(monkeypatch):
    """The current run becomes a global, as it would be without a ContextVar."""
    from runnable.scope import current as scope

    class Global:
        value = scope.Scope()

        def get(self):
            return self.value

        def set(self, value):
            self.value = value

    monkeypatch.setattr(scope, "_current", Global())


def break_environment(monkeypatch):
    """A step's variables are written to the real environment."""
    from runnable.engine.steps import task_step as step

    enter = step.enter_step

    def write(scope):
        os.environ.update(scope.environment)
        return enter(scope)

    monkeypatch.setattr(step, "enter_step", write)


@pytest.mark.parametrize("break_it", [break_current_run, break_environment])
def test_the_suite_notices_broken_isolation(break_it, tmp_path, capfd, monkeypatch):
    saved = dict(os.environ)
    with monkeypatch.context() as patch:
        break_it(patch)
        try:
            with sampled_environment() as changes:
                try:
                    found = run_in_threads(tmp_path, count=200)
                except Exception as error:
                    found = [repr(error)]
        finally:
            for name in set(os.environ) - set(saved):
                del os.environ[name]
    assert found + changes != []


def test_logging_goes_to_the_log_of_the_step(tmp_path):
    """Handlers that were set up before the run write to the step's log as well."""
    script = """
import logging, sys
from runnable import Pipeline, PythonTask
logging.basicConfig(stream=sys.stderr)
def talk(): logging.getLogger("mine").warning("careful")
Pipeline(steps=[PythonTask(name="s", function=talk)]).execute(run_id="r1")
logging.getLogger("mine").warning("outside")
"""
    finished = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert finished.stderr == "WARNING:mine:careful\nWARNING:mine:outside\n"
    (log,) = Path(".catalog/r1").glob("s???.execution.log")
    assert log.read_text() == "WARNING:mine:careful\n"


def test_two_tests_override_the_same_provider_at_once(in_memory):
    """Each thread sees its own override, whatever the other does meanwhile."""
    barrier = threading.Barrier(2, timeout=30)

    @inject
    def ask(*, secrets: BaseSecrets = Provide["secrets"]) -> str:
        return secrets.get("x")

    def ask_slowly() -> str:
        barrier.wait()
        first = ask()
        barrier.wait()
        return first + ask()

    pipeline = Pipeline(
        steps=[PythonTask(name="s", function=ask_slowly, returns=["seen"])]
    )

    def test(value: str) -> str:
        with container.secrets.override(TenantSecrets(value)):
            run_log = pipeline.execute(services=in_memory)
        return run_log.parameters["seen"].value

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(test, ["A", "B"])) == ["AA", "BB"]


def nested_run(outcome: BaseException | None, in_memory: dict):
    """A task that runs a pipeline of its own, which may end in any way."""
    seen = {}

    def inner() -> None:
        seen["inner"] = (get_run_context().run_id, os.environ["RUNNABLE_RUN_ID"])
        print("from inside")
        if outcome is not None:
            raise outcome

    def outer() -> str:
        print("before")
        before = get_run_context()
        try:
            Pipeline(steps=[PythonTask(name="in", function=inner)]).execute(
                run_id="inner", services=in_memory
            )
        except BaseException as error:
            seen["error"] = error
        print("after")
        assert get_run_context() is before
        return os.environ["RUNNABLE_RUN_ID"]

    pipeline = Pipeline(steps=[PythonTask(name="out", function=outer, returns=["id"])])
    return pipeline, seen


@pytest.mark.parametrize(
    "outcome", [None, ValueError("x"), KeyboardInterrupt(), SystemExit(1)]
)
def test_a_nested_run_has_its_own_scope(outcome, in_memory):
    pipeline, seen = nested_run(outcome, in_memory)

    run_log = pipeline.execute(run_id="outer")

    assert seen["inner"] == ("inner", "inner")
    assert run_log.parameters["id"].value == "outer"
    assert get_run_context() is None
    (log,) = Path(".catalog/outer").glob("out*.execution.log")
    assert log.read_text() == "before\nafter\n"


@pytest.mark.parametrize("named", [False, True])
def test_a_nested_run_has_an_id_and_settings_of_its_own(named, monkeypatch):
    """It takes nothing from the step around it, nor the id that names that run."""
    Path("c.yaml").write_text("catalog: {type: do-nothing}\n")
    if named:
        monkeypatch.setenv("RUNNABLE_RUN_ID", "outer")

    def nested() -> list[str]:
        inner = Pipeline(steps=[PythonTask(name="in", function=pause)])
        run_log = inner.execute()
        return [run_log.run_id, run_log.run_config["catalog"]["service_name"]]

    pipeline = Pipeline(steps=[PythonTask(name="o", function=nested, returns=["in"])])
    run_id = "" if named else "outer"
    run_log = pipeline.execute(run_id=run_id, configuration_file="c.yaml")

    assert run_log.run_id == "outer"
    inner_id, catalog = run_log.parameters["in"].value
    assert inner_id != "outer"
    assert catalog == "file-system"


async def test_cancelling_a_nested_run_brings_the_outer_scope_back(in_memory):
    started = asyncio.Event()

    async def inner() -> None:
        started.set()
        await asyncio.sleep(3600)

    async def outer() -> list[str]:
        nested = Pipeline(steps=[PythonTask(name="in", function=inner)])
        store = MemoryRunLogStore()
        running = asyncio.create_task(
            nested.execute_async(
                run_id="inner", services={**in_memory, "run_log_store": store}
            )
        )
        await started.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        log = store.get_run_log_by_id("inner")
        return [get_run_context().run_id, log.status, log.steps["in"].status]

    pipeline = Pipeline(steps=[PythonTask(name="out", function=outer, returns=["id"])])

    run_log = await pipeline.execute_async(run_id="outer", services=in_memory)

    assert run_log.parameters["id"].value == ["outer", "CANCELLED", "CANCELLED"]
    assert get_run_context() is None


def test_an_interrupted_run_is_recorded_and_gone(in_memory):
    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Pipeline(steps=[PythonTask(name="s", function=interrupt)]).execute(run_id="r1")

    assert get_run_log("r1").status == "CANCELLED"
    assert get_run_context() is None
    assert type(os.environ).__name__ == "_Environ"


def test_a_context_that_was_current_before_is_so_again(in_memory):
    mine = PipelineContext(run_id="mine", **in_memory)
    Pipeline(steps=[PythonTask(name="s", function=pause)]).execute(
        run_id="other", services=in_memory
    )
    assert get_run_context() is mine
    set_run_context(None)
