"""From the arguments of `execute` to a run that is current."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import (
    AbstractContextManager,
    ExitStack,
    contextmanager,
    nullcontext,
    suppress,
)
from typing import Any, NamedTuple

from runnable import defaults, telemetry
from runnable.context import RunContext, RunScope
from runnable.datastore import AnyParameter, RunLog
from runnable.engine import (
    CallInterrupted,
    InlineRuntime,
    LoopRuntime,
    Runtime,
    in_turn,
    json_parameters,
    run_by_hand,
)
from runnable.events import Subscriber, listeners
from runnable.exceptions import (
    ConfigurationError,
    ExecutionCancelledError,
    ExecutionFailedError,
    ParameterMissingError,
    ParametersMissingError,
    RetryValidationError,
    ValueNotStorableError,
)
from runnable.graph import Need
from runnable.injection import Provide, inject
from runnable.names import check_run_id, make_run_id
from runnable.options import NOBODY, Options, RunSettings, launcher
from runnable.runs import ActiveRun, Runs
from runnable.scope import current_run, current_scope, enter_step, live_run, restore
from runnable.sdk.services import (
    PORTS,
    RunContainer,
    close_all,
    make_services,
    resolve_settings,
)
from runnable.sdk.stream_queue import QueueSubscriber, get_stream_queue
from runnable.sdk.work import Work
from runnable.threads import Threads


class Launched(NamedTuple):
    """A run that is current, and has not recorded anything yet."""

    context: RunContext
    work: Work
    parameters: Mapping[str, AnyParameter]
    executor: object

    def execute(self, runtime: Runtime, runs: Runs) -> Coroutine[Any, Any, RunLog]:
        """Run it to its end, when its turn has come."""
        if runs.has_place(runs.turns, self.context.run):
            return self._start(runtime)
        return in_turn(runs.turns, runtime, lambda: self._start(runtime))

    def _start(self, runtime: Runtime) -> Coroutine[Any, Any, RunLog]:
        run, who = self.context.run, launcher()
        if run is not None and run.outer is not None:
            who = NOBODY  # a run within a step is the step's own
        if began := who.began:
            began(self.context.run_id)
        running = self.work.start(self.executor, self.parameters, runtime)
        ended = who.ended
        return _telling(running, ended) if ended else running


async def _telling(
    running: Coroutine[Any, Any, RunLog], ended: Callable[[object], None]
) -> RunLog:
    try:
        run_log = await running
    except ExecutionFailedError as failure:
        if failure.run_log is not None:
            ended(failure.run_log)
        raise
    ended(run_log)
    return run_log


@inject
def runs_of_container(*, runs: Runs = Provide["runs"]) -> Runs:
    """Return what knows the runs of the container in force."""
    return runs


@inject
def worker_threads(*, threads: Threads = Provide["threads"]) -> Threads:
    """Return the threads that runs share."""
    return threads


@inject
def io_threads(*, threads: Threads = Provide["io_threads"]) -> Threads:
    """Return the threads in which runs on event loops wait for stores."""
    return threads


@contextmanager
def launch(
    work: Work,
    options: Options,
    container: RunContainer | None,
) -> Iterator[Launched]:
    """Make a run current for the length of a `with` block.

    Args:
        work: What is run.
        options: What the caller says.
        container: The container that answers the run's markers, if not the default.

    Yields:
        What executes the run.

    Raises:
        ConfigurationError: If a file, key or value of the configuration is wrong.
        ParameterMissingError: If nobody provides a parameter that a step needs; all
            are listed.
        RetryValidationError: If something is to be resumed that cannot be.
    """
    settings, parameters = _prepare(work, options, container)
    run_id = check_run_id(settings.retry_run_id or settings.run_id or make_run_id())
    before = current_scope()
    ports = {**PORTS, work.executor_kind: work.executor_port}
    services, made = make_services(settings, ports)
    try:
        context = _make_context(work, run_id, settings, services)
        executor = services[work.executor_kind]
        with RunScope(context, container, before), _same_for_all(settings, services):
            for listener in listeners():
                context.subscribe(listener)
            if spans := telemetry.subscriber(context):
                context.subscribe(spans)
            if queue := get_stream_queue():
                context.subscribe(QueueSubscriber(queue, context))
            # A service may have ten thousand runs under way: keep no more than needed.
            del options, settings, services, ports
            yield Launched(context, work, parameters, executor)
    finally:
        close_all(made)


def rehearse(work: Work, options: Options, container: RunContainer | None) -> None:
    """Find out whether something could be run; everything but running it.

    Args:
        work: What would be run.
        options: What the caller says.
        container: The container that answers the run's markers, if not the default.

    Raises:
        ConfigurationError: If a file, key or value of the configuration is wrong.
        ParameterMissingError: If nobody provides a parameter that a step needs.
    """
    settings, _ = _prepare(work, options, container)
    ports = {**PORTS, work.executor_kind: work.executor_port}
    services, made = make_services(settings, ports)
    try:
        work.check(services[work.executor_kind])
    finally:
        close_all(made)


def _prepare(
    work: Work, options: Options, container: RunContainer | None
) -> tuple[RunSettings, dict[str, AnyParameter]]:
    """Find out what is in force for a run, and whether it can begin."""
    settings = _in_force(options, container)
    parameters = _initial(settings.parameters)
    if settings.retry_run_id:
        _check_resumption(work, options, settings.retry_run_id)
    else:
        _check_parameters(work.needs(), parameters)
    return settings, parameters


def execute(work: Work, options: Options, container: RunContainer | None) -> RunLog:
    """Run something in this thread, and wait for its end; see `launch`."""
    if collect := launcher().collect:
        collect(work, options, container)
        return _never_begun()
    around, runtime = live_run(), InlineRuntime()
    outer = around.calls.get(threading.get_ident()) if around else None
    # What ends the call of the outer run ends this one, from its first moment on.
    with (
        outer.ending_by(runtime.cancel) if outer else nullcontext(),
        launch(work, options, container) as launched,
    ):
        runtime.threads, runs = worker_threads(), runs_of_container()
        run = current_run("the run")
        try:
            with runs.registered(ActiveRun(run, runtime.cancel)):
                return run_by_hand(launched.execute(runtime, runs))
        except CallInterrupted:
            # Ended from outside; if that is the outer run, that goes on to end.
            raise ExecutionCancelledError(run.context.run_id) from None


async def execute_async(
    work: Work,
    options: Options,
    container: RunContainer | None,
    subscriber: Subscriber | None = None,
) -> RunLog:
    """Run something on the event loop; see `launch`.

    Args:
        work: What is run.
        options: What the caller says.
        container: The container that answers the run's markers, if not the default.
        subscriber: Somebody who is told what happens.
    """
    if collect := launcher().collect:
        collect(work, options, container)
        return _never_begun()
    with launch(work, options, container) as launched:
        if subscriber is not None:
            launched.context.subscribe(subscriber)
        runtime = LoopRuntime(worker_threads(), io_threads())
        runs = runs_of_container()
        run, ending = current_run("the run"), _Ending(launched.context.run_id)
        with runs.registered(ActiveRun(run, ending.ask, ending.is_lost)), ending:
            return await launched.execute(runtime, runs)


class _Ending:
    """Lets others end what this task does within a block, and nothing after it."""

    def __init__(self, run_id: str) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - it is awaited on a loop
        self._run_id = run_id
        self._task, self._loop = task, asyncio.get_running_loop()
        self._before = task.cancelling()
        self._asked = self._over = False

    def ask(self) -> None:
        """End it, from any thread."""
        with suppress(RuntimeError):  # its loop is closed: it is lost
            self._loop.call_soon_threadsafe(self._cancel)

    def is_lost(self) -> bool:
        """Tell whether it can never end, as nobody runs its loop any more."""
        return self._loop.is_closed()

    def _cancel(self) -> None:
        if not (self._asked or self._over):
            self._asked = True
            self._task.cancel()

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        self._over = True
        if not self._asked:
            return
        # Who else has cancelled the task, such as an outer run, gets what they want.
        others = self._task.uncancel() > self._before
        if kind is asyncio.CancelledError and not others:
            raise ExecutionCancelledError(self._run_id) from None


def _never_begun() -> RunLog:
    return RunLog(run_id="never-begun", status=defaults.CREATED)


_NOTHING_TO_DO = nullcontext()


def _same_for_all(
    settings: RunSettings, services: Mapping[str, object]
) -> AbstractContextManager[object]:
    """Let markers get the one service that was made, where one is overridden."""
    if not settings.overrides:
        return _NOTHING_TO_DO
    stack = ExitStack()
    for kind in services.keys() & settings.overrides.keys():
        stack.enter_context(settings.overrides[kind](services[kind]))
    return stack


def _in_force(options: Options, container: RunContainer | None) -> RunSettings:
    # What a step sees in the environment is its own run's: the run nested in it looks
    # at the real one, and is not the run that RUNNABLE_RUN_ID names.
    if isinstance(container, type):
        problem = f"container: {container.__name__} is a class; give an instance of it"
        raise ConfigurationError(problem)
    nested = live_run() is not None
    outer = enter_step(None)
    try:
        resolve = container.settings(container) if container else resolve_settings()
        settings = resolve(options)
    finally:
        restore(outer)
    if nested:
        settings = settings._replace(
            run_id=options.run_id, retry_run_id=options.resume or ""
        )
    return settings


def _make_context(
    work: Work,
    run_id: str,
    settings: RunSettings,
    services: Mapping[str, object],
) -> RunContext:
    return work.context_type.model_validate({
        **work.origin,
        "run_id": run_id,
        "retry_indicator": settings.retry_indicator,
        "is_retry": bool(settings.retry_run_id),
        "tag": settings.tag,
        "log_level": settings.log_level,
        "configuration_file": settings.configuration_file,
        "parameters_file": settings.parameters_file,
        "variables": settings.variables,
        **services,
    })


def _check_resumption(work: Work, options: Options, run_id: str) -> None:
    if not work.can_resume:
        why = "a job is one task; execute it again, without RUNNABLE_RETRY_RUN_ID"
        raise RetryValidationError(run_id, why)
    if options.run_id and options.run_id != run_id:
        why = f"it keeps its id, and cannot get the run_id {options.run_id!r}"
        raise RetryValidationError(run_id, why)


def _initial(values: Mapping[str, object]) -> dict[str, AnyParameter]:
    try:
        return json_parameters(values)
    except ValueNotStorableError as error:
        advice = "A run starts with JSON values; let its first step make objects."
        raise ValueNotStorableError(
            error.place, error.kind, error.why, advice
        ) from None


def _check_parameters(
    unprovided: Sequence[Need], parameters: Mapping[str, AnyParameter]
) -> None:
    missing = [
        ParameterMissingError(
            need.command, need.name, sorted(need.known.union(parameters)), need.step
        )
        for need in unprovided
        if need.name not in parameters
    ]
    if missing:
        raise missing[0] if len(missing) == 1 else ParametersMissingError(missing)
