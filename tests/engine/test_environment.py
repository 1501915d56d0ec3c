"""An event loop waits for no service that is somewhere else."""

import asyncio
import contextlib
import threading
from typing import ClassVar

import pytest
from pydantic import PrivateAttr

from runnable import (
    AsyncPythonTask,
    ExecutionFailedError,
    Map,
    Parallel,
    Pipeline,
    PythonTask,
    get_run_log,
)
from runnable.catalog.file_system import FileSystemCatalog
from runnable.datastore import StepFinished
from runnable.datastore.memory import MemoryRunLogStore
from runnable.events import listening
from runnable.exceptions import ExecutionCancelledError
from runnable.secrets import BaseSecrets
from tests.support.gates import Gate, container_with, pipeline_of
from tests.support.used import used_by


class Watched:
    """A journal that says in which threads it is written."""

    def __init__(self, journal, threads, before):
        self._journal, self._threads, self._before = journal, threads, before

    def append(self, record, *more):
        self._threads.append(threading.get_ident())
        if self._before is not None:
            for it in (record, *more):
                self._before(it)
        self._journal.append(record, *more)

    def close(self):
        self._threads.append(threading.get_ident())
        self._journal.close()


class LocalStore(MemoryRunLogStore):
    _threads: list = PrivateAttr(default_factory=list)
    _before: object = PrivateAttr(default=None)

    def create(self, run_id, first):
        self._threads.append(threading.get_ident())
        return Watched(super().create(run_id, first), self._threads, self._before)


class RemoteStore(LocalStore):
    is_local: ClassVar[bool] = False


class RemoteCatalog(FileSystemCatalog):
    is_local: ClassVar[bool] = False
    _threads: list = PrivateAttr(default_factory=list)

    def put_text(self, name, text, *, run_id):
        self._threads.append(threading.get_ident())
        super().put_text(name, text, run_id=run_id)


class Vault(BaseSecrets):
    """Of another package, which says nothing of where it is."""

    _threads: list = PrivateAttr(default_factory=list)

    def get(self, name):
        self._threads.append(threading.get_ident())
        return f"the {name}"


async def awaited(x):
    await asyncio.sleep(0)
    print("awaited")  # so that there is a log to keep
    return x


def failing(x):
    raise ValueError(x)


PIPELINE = Pipeline(
    steps=[
        Map(
            name="each",
            iterate_on="xs",
            iterate_as="x",
            branch=AsyncPythonTask(
                name="a", function=awaited, returns=["y"], secrets=["KEY"]
            ).as_pipeline(),
        ),
        PythonTask(name="f", function=lambda y: len(y), returns=["n"]),
    ]
)
GIVEN = {"xs": [1, 2, 3]}


@pytest.mark.parametrize(
    ("kind", "is_local"), [(LocalStore, True), (RemoteStore, False)]
)
def test_only_local_services_are_called_on_the_loop(kind, is_local, tmp_path):
    store, vault = kind(), Vault()
    catalog = RemoteCatalog(catalog_location=str(tmp_path))
    services = {"run_log_store": store, "catalog": catalog, "secrets": vault}
    run_log = asyncio.run(PIPELINE.execute_async(parameters=GIVEN, services=services))
    assert run_log.parameters["n"].value == 3
    loop = threading.get_ident()
    assert {it == loop for it in store._threads} == {is_local}
    assert len(catalog._threads) == 3  # the logs of the branches
    assert loop not in {*catalog._threads, *vault._threads}


@pytest.mark.parametrize("pipeline", [PIPELINE, PythonTask(name="s", function=failing)])
def test_the_log_and_the_events_are_the_same(pipeline, tmp_path):
    if isinstance(pipeline, PythonTask):
        pipeline = pipeline.as_pipeline()
    found = []
    for kind in (LocalStore, RemoteStore):
        store, told = kind(), []
        services = {"run_log_store": store, "secrets": Vault()}
        services["catalog"] = {"type": "do-nothing"}
        with listening(told.append):
            given = {"run_id": "r1", "parameters": used_by(pipeline, {**GIVEN, "x": 1})}
            with contextlib.suppress(ExecutionFailedError):
                asyncio.run(pipeline.execute_async(**given, services=services))
        records = list(store.read("r1"))
        # Of branches that overlap, the order is nobody's; each has its own.
        paths = sorted({getattr(it, "path", "") for it in records})
        found.append([
            [(type(it), getattr(it, "status", "")) for it in things if path == of(it)]
            for things in (records, told)
            for path in paths
        ])
        assert [type(it) for it in records][-1] is type(told[-1])
    assert found[0] == found[1]


def of(event):
    return getattr(event, "path", "")


def test_a_record_in_progress_survives_a_cancellation():
    app, store = container_with(), RemoteStore()
    asked, goes_on = threading.Event(), threading.Event()
    called = []

    def before(record):
        if isinstance(record, StepFinished) and record.path == "s":
            asked.set()
            assert goes_on.wait(60)

    store._before = before
    pipeline = Pipeline(
        steps=[
            PythonTask(name="s", function=lambda: 1, returns=["x"]),
            PythonTask(name="t", function=lambda: called.append("t")),
        ]
    )

    async def main():
        running = asyncio.create_task(
            pipeline.execute_async(
                run_id="r1", services={"run_log_store": store}, container=app
            )
        )
        await asyncio.to_thread(asked.wait, 60)
        assert app.runs().cancel("r1")
        await asyncio.sleep(0)  # the loop goes on meanwhile
        goes_on.set()
        with pytest.raises(ExecutionCancelledError):
            await running

    asyncio.run(main())
    run_log = get_run_log("r1", services={"run_log_store": store})
    assert run_log.status == "CANCELLED"
    assert run_log.steps["s"].status == "SUCCESS"
    # Its start is written with the end of the step before.
    assert run_log.steps["t"].status == "CANCELLED"
    assert not called
    resumed = pipeline.execute(resume="r1", services={"run_log_store": store})
    assert len(resumed.steps["s"].attempts) == 1


@pytest.mark.parametrize("colour", ["sync", "async"])
def test_branches_begin_in_their_order(colour):
    items = list(range(40))
    pipeline = Pipeline(steps=[PIPELINE.steps[0]])
    given = {"parameters": {"xs": items}}
    given["services"] = {"run_log_store": RemoteStore(), "secrets": Vault()}
    if colour == "sync":
        run_log = pipeline.execute(**given)
    else:
        run_log = asyncio.run(pipeline.execute_async(**given))
    assert list(run_log.steps["each"].branches) == [f"each.{it}" for it in items]


@pytest.mark.parametrize("order", [("a", "b"), ("b", "a")])
def test_a_store_that_fails_within_branches_of_branches_is_why_the_run_failed(order):
    def parallel(**branches):
        return Parallel(name="p", branches=branches).as_pipeline()

    gate, store = Gate(), LocalStore()
    # When it ends, the other branch is in its function.
    returning = PythonTask(name="s", function=lambda: gate.wait_for(1)).as_pipeline()
    given = {"a": parallel(c=returning, d=returning), "b": pipeline_of(gate)}
    pipeline = parallel(**{name: given[name] for name in order})

    def fail(record):
        if isinstance(record, StepFinished) and record.path.endswith("c.s"):
            raise OSError("the disk is full")

    store._before = fail
    with pytest.raises(ExecutionFailedError, match="the disk is full"):
        pipeline.execute(services={"run_log_store": store})
