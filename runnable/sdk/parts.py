"""Run one step of a run that another process has begun, or begin it with this step."""

from collections.abc import Awaitable, Callable
from typing import Generic, NamedTuple, NoReturn, TypeVar, cast

from runnable.datastore import RunLog
from runnable.engine import (
    Ended,
    InlineRuntime,
    Iteration,
    Joined,
    OpenBranch,
    Part,
    run_by_hand,
)
from runnable.exceptions import (
    ConfigurationError,
    DefinitionError,
    RetryValidationError,
    RunLogNotFoundError,
)
from runnable.executor import BasePipelineExecutor
from runnable.graph import changes
from runnable.options import Options, completed, not_launched
from runnable.sdk.history import get_run_log
from runnable.sdk.launch import launch, worker_threads
from runnable.sdk.planning import Planned, collect
from runnable.sdk.services import RunContainer
from runnable.sdk.work import PipelineWork

T = TypeVar("T")


class Asked(NamedTuple):
    """Which step of which run is asked for."""

    program: Callable[[], object]
    """Executes the pipeline of the run; it is ended there."""
    name: str
    """The path of the step."""
    iteration: Iteration
    """The iterations of maps and loops that it stands in."""
    options: Options
    """The run id, and what is to hold instead of what the program says."""
    joins_only: bool = False
    """Whether somebody else has begun the run for sure."""
    is_alone: bool = False
    """Whether this process does nothing else, so that others must see what it does."""


def run_step(asked: Asked) -> Ended:
    """Run one step of a run, with all its branches if it has any.

    Args:
        asked: Which one.

    Returns:
        How it has ended.

    Raises:
        RetryValidationError: If the run has another pipeline.
        NodeNotFoundError: If there is no such step.
        RunError: If it is not its turn.
    """
    return _do(asked, lambda joined: joined.run())


def fan_out(asked: Asked) -> list[OpenBranch]:
    """Record which branches a step has; of a loop, the next iteration.

    Args:
        asked: Which step.

    Returns:
        The branches that are to be run.
    """
    return _do(asked, lambda joined: joined.open_branches())


def fan_in(asked: Asked) -> Ended | None:
    """Record what the branches of a step have come to.

    Args:
        asked: Which step.

    Returns:
        How the step has ended; None for a loop that goes on.
    """

    def close(joined: Joined) -> Awaitable[Ended | None]:
        return joined.close_branches()

    return _do(asked, close)


class _PartWork(PipelineWork):
    """A pipeline of which one step is run here."""

    def __init__(self, whole: PipelineWork, *, is_new: bool) -> None:
        # A run that has begun has its parameters.
        super().__init__(whole.graph, whole.needs() if is_new else (), whole.file)


class _Search(Generic[T]):
    """Looks for the pipeline of a run, and acts where the program would execute it.

    There, what the program has overridden holds, as it would for the whole run.
    """

    def __init__(self, asked: Asked, action: Callable[[Joined], Awaitable[T]]) -> None:
        self._asked = asked
        self._action = action
        self._nearest: list[str] | None = None
        self.results: list[T] = []

    def look_at(self, planned: Planned) -> bool:
        """Act, if it is the run's pipeline; say whether it is."""
        work, asked = planned.work, self._asked
        options = completed(asked.options, planned.options)
        if not isinstance(work, PipelineWork) or planned.options.run_id not in {
            "",
            options.run_id,
        }:
            return False
        run_log = _log_of(options, planned.container)
        if run_log is None and asked.joins_only:
            raise RunLogNotFoundError(options.run_id, "the store of this process")
        described = run_log.run_config.get("dag") if run_log else None
        differences = changes(described, work.graph.described) if described else []
        if differences:
            self._nearest = min(self._nearest or differences, differences, key=len)
            return False
        part = _PartWork(work, is_new=run_log is None)
        self.results.append(_act(part, options, planned.container, asked, self._action))
        return True

    def fail(self) -> NoReturn:
        """Say why the run's pipeline was not found."""
        if self._nearest is None:
            raise DefinitionError("the program executes no pipeline for this run")
        listed = "".join(f"\n    {line}" for line in self._nearest)
        why = f"no pipeline of the program is the run's; the nearest:{listed}"
        raise RetryValidationError(self._asked.options.run_id, why)


def _do(asked: Asked, action: Callable[[Joined], Awaitable[T]]) -> T:
    search = _Search(asked, action)
    collect(asked.program, check=search.look_at)
    if not search.results:
        search.fail()
    return search.results[0]


def _act(
    work: PipelineWork,
    options: Options,
    container: RunContainer | None,
    asked: Asked,
    action: Callable[[Joined], Awaitable[T]],
) -> T:
    part = Part(work.graph, asked.name, asked.iteration)
    with not_launched(), launch(work, options, container) as launched:
        executor = cast("BasePipelineExecutor", launched.executor)
        store = launched.context.run_log_store
        if asked.is_alone and not store.is_shared:
            problem = (
                "a run log store in memory ends with this process; configure one that "
                "processes share, such as file-system or sqlite"
            )
            raise ConfigurationError(problem)
        runtime = InlineRuntime(worker_threads())

        async def act() -> T:
            async with executor.join(part, launched.parameters, runtime) as joined:
                return await action(joined)

        return run_by_hand(act())


def _log_of(options: Options, container: RunContainer | None) -> RunLog | None:
    try:
        return get_run_log(
            options.run_id,
            options.configuration_file,
            services=options.services,
            container=container,
        )
    except RunLogNotFoundError:
        return None
