"""Run one step of a run that another process has begun, or begin it with this step."""

from collections.abc import Awaitable, Callable
from typing import TypeVar, cast

from runnable.engine import (
    InlineRuntime,
    Iteration,
    Joined,
    OpenBranch,
    Part,
    run_by_hand,
)
from runnable.exceptions import DefinitionError, RunLogNotFoundError
from runnable.executor import BasePipelineExecutor
from runnable.graph import changes
from runnable.options import Options, completed
from runnable.sdk.history import get_run_log
from runnable.sdk.launch import launch, worker_threads
from runnable.sdk.planning import Planned, collect
from runnable.sdk.work import PipelineWork, Work

T = TypeVar("T")


def run_step(
    planned: Planned, name: str, iteration: Iteration, options: Options
) -> bool:
    """Run one step of a run, with all its branches if it has any.

    Args:
        planned: The pipeline of the run; see `plan`.
        name: The path of the step.
        iteration: The iterations of maps and loops that it stands in.
        options: The run id, and what is to hold instead of what the program says.

    Returns:
        Whether it has succeeded.

    Raises:
        RetryValidationError: If the run has another pipeline.
        NodeNotFoundError: If there is no such step.
    """
    return _do(planned, name, iteration, options, lambda joined: joined.run())


def fan_out(
    planned: Planned, name: str, iteration: Iteration, options: Options
) -> list[OpenBranch]:
    """Record which branches a step has; of a loop, the next iteration.

    Args:
        planned: As for `run_step`.
        name: As for `run_step`.
        iteration: As for `run_step`.
        options: As for `run_step`.

    Returns:
        The branches that are to be run.
    """
    return _do(planned, name, iteration, options, lambda joined: joined.open_branches())


def fan_in(
    planned: Planned, name: str, iteration: Iteration, options: Options
) -> bool | None:
    """Record what the branches of a step have come to.

    Args:
        planned: As for `run_step`.
        name: As for `run_step`.
        iteration: As for `run_step`.
        options: As for `run_step`.

    Returns:
        Whether the step has succeeded; None for a loop that goes on.
    """
    return _do(
        planned, name, iteration, options, lambda joined: joined.close_branches()
    )


class _PartWork(PipelineWork):
    """A pipeline of which one step is run here."""

    def __init__(self, whole: PipelineWork) -> None:
        # The run has its parameters, or its steps say what is missing.
        super().__init__(whole.graph, (), whole.file)


def _do(
    planned: Planned,
    name: str,
    iteration: Iteration,
    options: Options,
    action: Callable[[Joined], Awaitable[T]],
) -> T:
    work = _PartWork(cast("PipelineWork", planned.work))
    options = completed(options, planned.options)
    part = Part(work.graph, name, iteration)
    runtime = InlineRuntime(worker_threads())
    with launch(work, options, None) as launched:
        executor = cast("BasePipelineExecutor", launched.executor)

        async def act() -> T:
            async with executor.join(part, launched.parameters, runtime) as joined:
                return await action(joined)

        return run_by_hand(act())


def plan(program: Callable[[], object], options: Options) -> Planned:
    """Find the pipeline of a run among those that a program would run.

    Args:
        program: Executes pipelines; it is ended where it would execute that one.
        options: The run id, and what is to hold instead of what the program says.

    Returns:
        The pipeline that the run has; the first one, of a run that is new.

    Raises:
        DefinitionError: If the program executes none.
    """

    def is_it(work: Work, said: Options) -> bool:
        return isinstance(work, PipelineWork) and not _differences(
            work, completed(options, said)
        )

    runs = collect(program, check=is_it).runs
    pipelines = [it for it in runs if isinstance(it.work, PipelineWork)]
    if not pipelines:
        raise DefinitionError("it executes no pipeline; a job has no steps")
    return min(pipelines, key=lambda it: len(_differences(it.work, options)))


def _differences(work: Work, options: Options) -> list[str]:
    """Say in what a pipeline differs from that of the run; nothing if it is new."""
    assert isinstance(work, PipelineWork)  # noqa: S101 - jobs were left out
    try:
        run_log = get_run_log(
            options.run_id, options.configuration_file, services=options.services
        )
    except RunLogNotFoundError:
        return []
    return changes(run_log.run_config.get("dag") or {}, work.graph.described)
