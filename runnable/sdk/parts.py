"""Run one step of a run that another process has begun, or begin it with this step."""

import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar, cast

from runnable.engine import (
    InlineRuntime,
    Iteration,
    Joined,
    OpenBranch,
    Part,
    run_by_hand,
)
from runnable.exceptions import RunLogNotFoundError
from runnable.executor import BasePipelineExecutor
from runnable.graph import changes
from runnable.options import Options
from runnable.sdk.history import get_run_log
from runnable.sdk.launch import launch, worker_threads
from runnable.sdk.work import PipelineWork, Work

T = TypeVar("T")


def run_step(
    works: Sequence[Work], name: str, iteration: Iteration, options: Options
) -> bool:
    """Run one step of a run, with all its branches if it has any.

    Args:
        works: What the program would run; the pipeline of the run is among it.
        name: The path of the step.
        iteration: The iterations of maps and loops that it stands in.
        options: The run id, and where everything is kept.

    Returns:
        Whether it has succeeded.

    Raises:
        RetryValidationError: If the run has another pipeline.
        NodeNotFoundError: If there is no such step.
    """
    return _do(works, name, iteration, options, lambda joined: joined.run())


def fan_out(
    works: Sequence[Work], name: str, iteration: Iteration, options: Options
) -> list[OpenBranch]:
    """Record which branches a step has; of a loop, the next iteration.

    Args:
        works: As for `run_step`.
        name: As for `run_step`.
        iteration: As for `run_step`.
        options: As for `run_step`.

    Returns:
        The branches that are to be run.
    """
    return _do(works, name, iteration, options, lambda joined: joined.open_branches())


def fan_in(
    works: Sequence[Work], name: str, iteration: Iteration, options: Options
) -> bool | None:
    """Record what the branches of a step have come to.

    Args:
        works: As for `run_step`.
        name: As for `run_step`.
        iteration: As for `run_step`.
        options: As for `run_step`.

    Returns:
        Whether the step has succeeded; None for a loop that goes on.
    """
    return _do(works, name, iteration, options, lambda joined: joined.close_branches())


class _PartWork(PipelineWork):
    """A pipeline of which one step is run here."""

    def __init__(self, whole: PipelineWork) -> None:
        # The run has its parameters, or its steps say what is missing.
        super().__init__(whole.graph, (), whole.file)


def _do(
    works: Sequence[Work],
    name: str,
    iteration: Iteration,
    options: Options,
    action: Callable[[Joined], Awaitable[T]],
) -> T:
    work = _PartWork(_pipeline_of(works, options))
    part = Part(work.graph, name, iteration)
    runtime = InlineRuntime(worker_threads())
    with launch(work, options, None) as launched:
        executor = cast("BasePipelineExecutor", launched.executor)

        async def act() -> T:
            async with executor.join(part, launched.parameters, runtime) as joined:
                return await action(joined)

        return run_by_hand(act())


def _pipeline_of(works: Sequence[Work], options: Options) -> PipelineWork:
    """Choose the pipeline that a run has; the first one, of a run that is new."""
    pipelines = [work for work in works if isinstance(work, PipelineWork)]
    if len(pipelines) > 1:
        with contextlib.suppress(RunLogNotFoundError):
            run_log = get_run_log(
                options.run_id, options.configuration_file, services=options.services
            )
            described = run_log.run_config.get("dag") or {}
            pipelines.sort(key=lambda it: len(changes(described, it.graph.described)))
    return pipelines[0]
