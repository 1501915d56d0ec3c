"""Run one step of a run, which another process may have started."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Generic, NamedTuple, NoReturn, TypeVar, cast

from runnable.datastore import RunState
from runnable.datastore.errors import RetryValidationError, RunLogNotFoundError
from runnable.engine import (
    InlineRuntime,
    Iteration,
    OpenBranch,
    SingleStep,
    SingleStepResult,
    StepName,
    attached,
    run_by_hand,
)
from runnable.errors import ConfigurationError, DefinitionError
from runnable.executor import BaseExecutor
from runnable.graph import changes
from runnable.scope.launcher import not_launched
from runnable.scope.options import Options, completed
from runnable.sdk.discovery import Planned, collect
from runnable.sdk.run_request import RunRequest
from runnable.sdk.runs import read_state
from runnable.sdk.services import AnyRunContainer, resolve_settings
from runnable.sdk.start import prepared

T = TypeVar("T")


class SingleStepRequest(NamedTuple):
    """Run this step of that run."""

    program: Callable[[], object]
    """Executes the pipeline of the run; it is ended there."""
    name: str
    """The path of the step."""
    iteration: Iteration
    """The iterations of maps and loops that it is in."""
    options: Options
    """The run id, and options that take precedence over those of the program."""
    joins_only: bool = False
    """True if another process has certainly started the run."""
    is_alone: bool = False
    """True if this process runs nothing else: others must see its records."""
    in_order: bool = False
    """True if an orchestrator starts each step when the ones before it have ended, and
    never twice at once."""


def run_single_step(asked: SingleStepRequest) -> SingleStepResult:
    """Run one step of a run, with all its branches if it has any.

    Args:
        asked: Which one.

    Returns:
        How it has ended.

    Raises:
        RetryValidationError: If the run has another pipeline.
        NodeNotFoundError: If there is no such step.
        RunError: If it cannot be run now.
    """
    return _do(asked, lambda step: step.run())


def open_branches(asked: SingleStepRequest) -> list[OpenBranch]:
    """Record which branches a step has; of a loop, the next iteration.

    Args:
        asked: Which step.

    Returns:
        The branches that are to be run.
    """
    return _do(asked, lambda step: step.open_branches())


def close_branches(asked: SingleStepRequest) -> SingleStepResult | None:
    """Record the merged results of the branches of a step.

    Args:
        asked: Which step.

    Returns:
        How the step has ended; None for a loop that continues.
    """

    def close(step: SingleStep) -> Awaitable[SingleStepResult | None]:
        return step.close_branches()

    return _do(asked, close)


def end_branch(asked: SingleStepRequest) -> SingleStepResult:
    """Record the end of a branch, or of a run, whose processes have all ended.

    Args:
        asked: A terminal step of it; which one, follows from its steps.

    Returns:
        How it has ended.
    """
    return _do(asked, lambda step: step.end())


class _Search(Generic[T]):
    """Looks for the pipeline of a run, and acts where the program would execute it.

    There, the program's overrides are active, as they would be for the whole run.
    """

    def __init__(
        self,
        asked: SingleStepRequest,
        action: Callable[[SingleStep], Awaitable[T]],
    ) -> None:
        self._asked = asked
        self._action = action
        self._nearest: list[str] | None = None
        self.results: list[T] = []

    def look_at(self, planned: Planned) -> bool:
        """Act, if it is the run's pipeline; return whether it is."""
        request, asked = planned.request, self._asked
        options = completed(asked.options, planned.options)
        if request.job is not None or _is_another(planned, options.run_id):
            return False
        state = read_state(options, planned.container)
        if state is None and asked.joins_only:
            raise RunLogNotFoundError(options.run_id, "the store of this process")
        started = state.started if state is not None else None
        described = started.run_config.get("dag") if started is not None else None
        differences = changes(described, request.graph.described) if described else []
        if differences:
            self._nearest = min(self._nearest or differences, differences, key=len)
            return False
        if state is not None:
            # A run that has started has its parameters.
            request = replace(request, needs=())
        self.results.append(
            _act(request, state, options, planned.container, asked, self._action)
        )
        return True

    def fail(self) -> NoReturn:
        """Raise why the run's pipeline was not found."""
        if self._nearest is None:
            raise DefinitionError("the program executes no pipeline for this run")
        listed = "".join(f"\n    {line}" for line in self._nearest)
        why = f"no pipeline of the program is the run's; the nearest:{listed}"
        raise RetryValidationError(self._asked.options.run_id, why)


def _is_another(planned: Planned, run_id: str) -> bool:
    """Return True if a program would start another run, which there is already.

    A run id that is not known may be one that the program makes each time.
    """
    own, options = planned.options.run_id, planned.options
    return own not in {"", run_id} and bool(read_state(options, planned.container))


def _do(asked: SingleStepRequest, action: Callable[[SingleStep], Awaitable[T]]) -> T:
    if not asked.options.run_id:
        asked = asked._replace(options=_with_run_id(asked.options))
    search = _Search(asked, action)
    collect(asked.program, check=search.look_at)
    if not search.results:
        search.fail()
    return search.results[0]


def _with_run_id(options: Options) -> Options:
    """Find the id of the run where it is for any run: in the environment."""
    settings = resolve_settings()(options)
    run_id = settings.retry_run_id or settings.run_id
    if not run_id:
        raise ConfigurationError(
            "which run? Give its id, or set the variable RUNNABLE_RUN_ID"
        )
    return options._replace(run_id=run_id)


def tried_again(options: Options, container: AnyRunContainer | None) -> Options:
    """Return the options of a run that goes on, if there is one of its id already.

    Args:
        options: Those of a process that may have been started before.
        container: Answers the run's markers, if it is not the default one.
    """
    options = options if options.run_id else _with_run_id(options)
    if read_state(options, container) is None:
        return options
    return options._replace(resume=options.run_id)


def _act(
    request: RunRequest,
    state: RunState | None,
    options: Options,
    container: AnyRunContainer | None,
    asked: SingleStepRequest,
    action: Callable[[SingleStep], Awaitable[T]],
) -> T:
    step = StepName(request.graph, asked.name, asked.iteration, asked.in_order)
    with not_launched(), prepared(request, options, container) as starting:
        context, shared = starting.context, starting.shared
        executor = cast("BaseExecutor", context.services.executor)
        if asked.is_alone and not context.run_log_store.is_shared:
            problem = (
                "a run log store in memory ends with this process; configure one that "
                "processes share, such as file-system or sqlite"
            )
            raise ConfigurationError(problem)
        runtime = InlineRuntime(shared.threads)

        async def act() -> T:
            joining = attached(
                step,
                state,
                starting.parameters,
                runtime,
                context,
                shared,
                executor.options,
            )
            async with joining as single:
                return await action(single)

        return run_by_hand(act())
