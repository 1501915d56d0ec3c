"""What users write is accepted by type checkers, and has the types they expect.

Not run: `make types` checks it.
"""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, TypedDict, assert_type

from pydantic import JsonValue

import runnable.containers
from containers import FromRun, OncePerRun, RunContainer, container
from runnable import (
    AsyncPipeline,
    AsyncPythonTask,
    Backoff,
    Conditional,
    Config,
    ExecutionFailedError,
    Loop,
    Map,
    Parallel,
    Pipeline,
    Provide,
    PythonJob,
    PythonTask,
    Stub,
    get_run_log,
    inject,
    json,
    metric,
    pickled,
    provide,
    task,
)
from runnable.catalog import BaseCatalog
from runnable.context import (
    JobContext,
    PipelineContext,
    get_run_context,
    propagate,
    set_run_context,
)
from runnable.datastore import RunLog, StepLog
from runnable.events import Event, Pause
from runnable.events.hooks import RunEnded, StepEnded
from runnable.secrets import BaseSecrets


class FakeSecrets(BaseSecrets):
    """A fake that a test passes in."""

    def get(self, name: str) -> str:
        """Return the name."""
        return name


class Session:
    """A service of the user's own."""

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id


def open_session() -> Iterator[Session]:
    """Yield a service, and clean up after it."""
    yield Session("r1")


@contextmanager
def managed_session(run_id: str) -> Iterator[Session]:
    """Give a service for the length of a run."""
    yield Session(run_id)


class AppContainer(RunContainer):
    """The user's own container."""

    tenant: FromRun[str] = FromRun("tag")
    session = OncePerRun(Session, run_id=RunContainer.run_id)
    opened = OncePerRun(open_session)
    managed = OncePerRun(managed_session, "r1")


@inject
def work(x: int, *, catalog: BaseCatalog = Provide["catalog"]) -> float:
    """Use a parameter and a service."""
    assert_type(catalog, BaseCatalog)
    return float(x)


assert_type(work(1), float)
assert_type(container.catalog(), BaseCatalog)
assert_type(container.run_id(), str)
assert_type(AppContainer().session(), Session)
assert_type(AppContainer().opened(), Session)
assert_type(AppContainer().managed(), Session)
assert_type(propagate(work)(1), float)
assert_type(get_run_context(), PipelineContext | JobContext | None)
set_run_context(None)

pipeline = Pipeline(
    name="mine",
    steps=[
        PythonTask(
            name="a",
            function=work,
            returns=["x", json("y"), pickled("z"), metric("m")],
            secrets=["TOKEN"],
            on_failure=Pipeline(steps=[Stub(name="tell")]),
        ),
        Stub(name="b", terminate_with_success=True),
    ],
)
with container.secrets.override(FakeSecrets()) as fake:
    assert_type(fake, FakeSecrets)
    run_log = pipeline.execute(
        parameters={"x": 1},
        services={"catalog": {"type": "do-nothing"}},
        container=AppContainer(),
    )
assert_type(run_log, RunLog)
assert_type(get_run_log("r1"), RunLog)
try:
    pipeline.execute()
except ExecutionFailedError as error:
    assert_type(error.run_log, RunLog | None)
    assert_type(error.run_id, str)


async def asynchronous() -> None:
    """Await a run, and consume a stream."""
    assert_type(await pipeline.execute_async(), RunLog)
    async for event in pipeline.execute_streaming(parameters={"x": 1}):
        assert_type(event, dict[str, object])


async def words(text: str) -> AsyncIterator[dict[str, object]]:
    """Stream events."""
    yield {"type": "done", "text": text}


branch = PythonTask(
    name="s",
    function=work,
    returns=["y"],
    retries=2,
    retry_delay=Backoff(initial=1.0, jitter=0.5),
    timeout_seconds=1,
).as_pipeline()
assert_type(branch, Pipeline)
stream = AsyncPythonTask(name="w", function=words, stream_end_type="done")
assert_type(stream.as_async_pipeline(), AsyncPipeline)
nested = Pipeline(
    steps=[
        Parallel(name="p", branches={"a": branch, "b": stream.as_pipeline()}),
        Map(
            name="m",
            branch=branch,
            iterate_on="xs",
            iterate_as="x",
            reducer=max,
            parallelism="process",
            max_workers=2,
        ),
        Conditional(name="c", parameter="y", branches={"a": branch}, default="a"),
        Loop(
            name="l",
            branch=branch,
            max_iterations=3,
            break_on="y",
            index_as="i",
            on_failure=branch,
        ),
    ]
)
step_log = nested.execute().steps["m"]
assert_type(step_log, StepLog)
assert_type(step_log.branches["m.1"].steps["m.1.s"], StepLog)
try:
    nested.execute()
except* ValueError as group:
    assert_type(group, ExceptionGroup[ValueError])


def listen(event: Event) -> Pause | None:
    """Take events of a run."""
    return None


def subscribe(context: PipelineContext) -> None:
    """Have somebody told what happens."""
    context.subscribe(listen)


class Split(TypedDict):
    """What a function returns."""

    train: list[int]
    score: Annotated[float, metric]


@task
def split(rows: list[int]) -> Split:
    """Return a record."""
    return {"train": rows, "score": 0.5}


@task(
    returns=["y"],
    retries=2,
    timeout_seconds=1.0,
    retry_delay=Backoff(initial=1.0),
    limits={"gpu": 1},
)
def later(x: int) -> int:
    """Stay a function."""
    return x + 1


assert_type(split([1]), Split)
assert_type(later(1), int)
PythonTask(function=work, limits=["gpu", "api"])
log = Pipeline(steps=[split, later, PythonTask(function=work, returns=["z"])]).execute(
    parameters={"rows": [1], "x": 1},
    config=Config("c.yaml", parameters_file="p.yaml"),
    tags={"team": "risk"},
    notes={"why": "a try"},
)
assert_type(log, RunLog)
assert_type(log.output("score", float), float)
assert_type(log.output("train", list[int]), list[int])
assert_type(log["score"], object)
assert_type(log.outputs["score"], object)
assert_type(log.tags, dict[str, str])
assert_type(PythonJob(function=work, returns=["z"]).execute(run_id="j1"), RunLog)


def told(ended: RunEnded) -> None:
    """Be told of the end of a run."""
    assert_type(ended.metrics, Mapping[str, JsonValue])


async def told_of_step(ended: StepEnded) -> None:
    """Be told of the end of a step."""
    assert_type(ended.seconds, float)


hooked = Pipeline(
    steps=[later],
    on_success=told,
    on_failure=[told, "package.module:function", {"webhook": "https://x.example"}],
    on_step=told_of_step,
    check_types=False,
)
assert_type(hooked.run(x=1), RunLog)
assert_type(hooked.step("later"), Pipeline)
assert_type(hooked.step("later").execute(inputs_from="latest"), RunLog)
assert_type(hooked.execute(only=["later"], parameters={"x": 1}), RunLog)
assert_type(hooked.execute(from_="later", until="later", parameters={"x": 1}), RunLog)


@inject
def typed(
    *,
    catalog: BaseCatalog = provide(BaseCatalog),
    vault: BaseSecrets = provide(BaseSecrets, "secrets"),
) -> None:
    """Get services by their type."""
    assert_type(catalog, BaseCatalog)
    assert_type(vault, BaseSecrets)


assert_type(provide(FakeSecrets), FakeSecrets)
assert_type(runnable.containers.container, RunContainer)
