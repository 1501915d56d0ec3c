"""From the arguments of `execute` to a run that is current, and to its end."""

import threading
from collections.abc import Callable, Coroutine, Generator, Iterator, Mapping, Sequence
from contextlib import (
    AbstractContextManager,
    ExitStack,
    contextmanager,
    nullcontext,
)
from functools import partial
from typing import Any, NamedTuple, cast

from runnable import defaults
from runnable.concurrency import ONE, ActiveRun, Threads
from runnable.context import RunContext, RunScope, get_run_context
from runnable.datastore import AnyParameter, RunLog
from runnable.datastore.errors import RetryValidationError
from runnable.engine import (
    CallInterrupted,
    EarlierInputs,
    InlineRuntime,
    LoopRuntime,
    Manifest,
    Runtime,
    Shared,
    check_launching,
    launch_job,
    not_run,
    render,
    run,
    run_by_hand,
    shared_of_container,
    with_slots,
)
from runnable.engine.errors import ExecutionCancelledError, ExecutionFailedError
from runnable.errors import ConfigurationError
from runnable.events import Subscriber, event_log, listeners, telemetry
from runnable.executor import BaseExecutor, ExecutionOptions
from runnable.graph import Graph
from runnable.scope import current_scope, enter_step, find_run, require_run, restore
from runnable.scope.injection import Provide, inject
from runnable.scope.launcher import NOBODY, launcher
from runnable.scope.options import Options, RunSettings
from runnable.scope.service import Service
from runnable.sdk.caller import reference_of_caller
from runnable.sdk.given_parameters import (
    check_names,
    check_parameters,
    initial_parameters,
)
from runnable.sdk.loop_cancellation import LoopCancellation
from runnable.sdk.parts import (
    check_runs_here,
    described_part,
    find_inputs,
    part_request,
)
from runnable.sdk.run_request import RunRequest
from runnable.sdk.services import (
    PORTS,
    AnyRunContainer,
    close_all,
    make_services,
    resolve_settings,
)
from runnable.sdk.stream_queue import QueueSubscriber, get_stream_queue
from runnable.system.run_ids import check_run_id, make_run_id
from runnable.system.short_tracebacks import shorten


class PreparedRun(NamedTuple):
    """A run that is current, and has not recorded anything yet."""

    request: RunRequest
    context: RunContext
    parameters: Mapping[str, AnyParameter]
    shared: Shared
    inputs_from: str = ""
    """The run that has what steps before have returned."""

    def start(self, runtime: Runtime) -> Coroutine[Any, Any, RunLog]:
        """Return what runs it to its end, as soon as it has a slot.

        Args:
            runtime: How functions are called.
        """
        limit = self.shared.active_runs.run_limit
        if self.shared.active_runs.has_slot(self.context.run):
            return self._start(runtime)
        return with_slots((limit,), ONE, runtime, lambda: self._start(runtime))

    def _start(self, runtime: Runtime) -> Coroutine[Any, Any, RunLog]:
        run, program = self.context.run, launcher()
        if run is not None and run.outer is not None:
            program = NOBODY  # a nested run belongs to its step
        if program.began is not None:
            program.began(self.context.run_id)
        running = self._running(runtime)
        ended = program.ended
        return _notifying(running, ended) if ended else running

    def _running(self, runtime: Runtime) -> Coroutine[Any, Any, RunLog]:
        if self.inputs_from and not self.context.is_retry:
            return self._with_inputs(runtime)
        return self.executed(runtime)

    async def _with_inputs(self, runtime: Runtime) -> RunLog:
        """Run with what an earlier run has recorded."""
        find = partial(find_inputs, self.request, self.context, self.inputs_from)
        inputs = await runtime.off_loop(find)
        parameters = {**inputs.parameters, **self.parameters}
        why = f"In run {inputs.run_id!r} it had a secret in it, so it was not recorded."
        check_parameters(
            [
                need._replace(hint=why) if need.name in inputs.lost else need
                for need in self.request.needs
            ],
            parameters,
        )
        if inputs.files:
            self.context.part["files"] = [*inputs.files]
        if inputs.secrets:
            self.context.part["secrets"] = [*sorted(inputs.secrets)]
        complete = self._replace(parameters=parameters)
        return await complete.executed(runtime, inputs)

    def executed(
        self, runtime: Runtime, inputs: EarlierInputs | None = None
    ) -> Coroutine[Any, Any, RunLog]:
        """Return what runs it, once it is known what it begins with."""
        executor = cast("BaseExecutor", self.context.services.executor)
        options, request = executor.options, self.request
        graph = executor.adapt(request.graph, self.parameters)
        if request.runs_here:
            options = options._replace(launcher=None, cluster=None, renderer=None)
        check_runs_here(self.context, options)
        running = self._started(graph, options, runtime, inputs)
        if not (options.shares_journal or options.renderer):
            return running
        return _checked(partial(self._check, executor, graph), runtime, running)

    def _check(self, executor: BaseExecutor, graph: Graph) -> None:
        executor.check(graph)
        self.context.code_ids = {**self.context.code_ids, **executor.identities()}

    def _started(
        self,
        graph: Graph,
        options: ExecutionOptions,
        runtime: Runtime,
        inputs: EarlierInputs | None,
    ) -> Coroutine[Any, Any, RunLog]:
        request = self.request
        if options.renderer is not None:
            self._find_reference()
            describe = partial(render, options, graph, self.parameters, self.context)
            return self._written(describe, runtime)
        if options.launcher is not None:
            self._find_reference()
            check_launching(self.context, graph, options)
            if request.job is not None:
                job, given = request.job, self.parameters
                common = (self.context, runtime, self.shared)
                return launch_job(options.launcher, job, given, *common)
        shared = self.shared
        if request.runs_here:
            shared = shared._replace(limiters=())  # whoever launched it holds its slots
        return run(
            *(graph, self.parameters, runtime, self.context, shared, options),
            inputs=inputs,
        )

    def _find_reference(self) -> None:
        if not self.request.origin["reference"]:
            found = reference_of_caller() or self.context.reference
            self.context.reference = found

    def manifest(self) -> Manifest:
        """Describe the run to a workflow engine.

        Raises:
            ConfigurationError: If its executor does not, or the engine cannot run it.
        """
        executor = cast("BaseExecutor", self.context.services.executor)
        graph = executor.adapt(self.request.graph, self.parameters)
        return render(executor.options, graph, self.parameters, self.context)

    async def _written(
        self, describe: Callable[[], Manifest], runtime: Runtime
    ) -> RunLog:
        """Write the manifest; nothing is run."""
        made = await runtime.off_loop(describe)
        made.write()
        instead = f"Wrote {made.file}: nothing has been run. Hand it to `argo submit`."
        return not_run(self.context, instead, manifest=made.file)


async def _checked(
    check: Callable[[], None], runtime: Runtime, running: Coroutine[Any, Any, RunLog]
) -> RunLog:
    """Run, after it was found that the executor can do so."""
    try:
        await runtime.off_loop(check)
    except BaseException:
        running.close()
        raise
    return await running


async def _notifying(
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


@contextmanager
def prepared(
    request: RunRequest, options: Options, container: AnyRunContainer | None
) -> Generator[PreparedRun]:
    """Make a run current for the length of a `with` block.

    Args:
        request: What is run.
        options: The options of the caller.
        container: Answers the run's markers, if it is not the default one.

    Yields:
        What executes the run.

    Raises:
        ConfigurationError: If a file, key or value of the configuration is wrong.
        ParameterMissingError: If a parameter that a step needs is not provided; all
            are listed.
        RetryValidationError: If a run cannot be resumed.
    """
    request, settings, parameters = resolved(request, options, container)
    run_id = check_run_id(settings.retry_run_id or settings.run_id or make_run_id())
    before, around = current_scope(), get_run_context()
    services, made = make_services(settings, ports_of(request))
    try:
        context = _make_context(request, run_id, settings, services)
        if around is None and not context.reference:
            context.reference = launcher().reference
        if around is not None:
            around.masker.share_with(context.masker)
            context.masker.share_values_with(around.masker)
        if (learner := launcher().masker) is not None:
            context.masker.share_with(learner)
        with (
            RunScope(context, container, before),
            _same_for_all(settings, services),
            _shown(context, options, is_nested=around is not None),
        ):
            for subscriber in _subscribers(context):
                context.subscribe(subscriber)
            # Those of the configuration are for runs, not for those nested in them.
            hooks = [*(settings.hooks if around is None else ()), *request.hooks()]
            if hooks:
                context.subscribe(_hooks(context, hooks))
            # A service may have ten thousand active runs: keep no more than needed.
            shared = shared_of_container().limited_by(settings.limits)
            inputs_from = settings.inputs_from
            del options, settings, services, around
            yield PreparedRun(request, context, parameters, shared, inputs_from)
    finally:
        close_all(made)


def _subscribers(context: RunContext) -> Iterator[Subscriber]:
    """Yield those who want to see all runs that are started here."""
    yield from listeners()
    if event_log.is_wanted():
        yield event_log.log_event
    if spans := telemetry.subscriber(context):
        yield spans
    if queue := get_stream_queue():
        yield QueueSubscriber(queue, context)


@inject
def _hooks(
    context: RunContext,
    hooks: Sequence[object],
    *,
    threads: Threads = Provide["hook_threads"],
) -> Subscriber:
    from runnable.events.hook_calls import HookCalls  # most programs have none
    from runnable.events.hooks import Hook

    return HookCalls(context, [it for it in hooks if isinstance(it, Hook)], threads)


def ports_of(request: RunRequest) -> Mapping[str, type[Service]]:
    """Return the classes that the services of a run have, by kind."""
    return {**PORTS, request.context_type.executor_kind: request.executor_port}


def resolved(
    request: RunRequest, options: Options, container: AnyRunContainer | None
) -> tuple[RunRequest, RunSettings, dict[str, AnyParameter]]:
    """Resolve the settings of a run and what is run, and check whether it can start."""
    settings = _settings(options, container)
    parameters = initial_parameters(settings.parameters, settings.texts)
    if settings.retry_run_id:
        _check_resumption(request, options, settings.retry_run_id)
        return part_request(request, settings), settings, parameters
    check_names(request, [*options.parameters, *options.written])
    part = part_request(request, settings)
    if not settings.inputs_from:
        check_parameters(part.needs, parameters)
    return part, settings, parameters


def execute(
    request: RunRequest, options: Options, container: AnyRunContainer | None
) -> RunLog:
    """Run something in this thread, and wait for its end; see `prepared`."""
    if collect := launcher().collect:
        collect(request, options, container)
        return _never_started()
    around, runtime = find_run(), InlineRuntime()
    outer = around.calls.get(threading.get_ident()) if around else None
    # Cancelling the enclosing step cancels this nested run, from the start.
    with (
        outer.ending_by(runtime.cancel) if outer else nullcontext(),
        prepared(request, options, container) as starting,
    ):
        runtime.threads, active = starting.shared.threads, starting.shared.active_runs
        current = require_run("the run")
        try:
            with active.registered(ActiveRun(current, runtime.cancel)):
                return run_by_hand(starting.start(runtime))
        except ExecutionFailedError as error:
            shorten(error)
            raise
        except CallInterrupted:
            # Cancelled from outside; if it is the enclosing step, that ends, too.
            raise ExecutionCancelledError(current.context.run_id) from None


async def execute_async(
    request: RunRequest,
    options: Options,
    container: AnyRunContainer | None,
    subscriber: Subscriber | None = None,
) -> RunLog:
    """Run something on the event loop; see `prepared`.

    Args:
        request: What is run.
        options: The options of the caller.
        container: Answers the run's markers, if it is not the default one.
        subscriber: Notified of everything that happens.
    """
    if collect := launcher().collect:
        collect(request, options, container)
        return _never_started()
    with prepared(request, options, container) as starting:
        if subscriber is not None:
            starting.context.subscribe(subscriber)
        shared = starting.shared
        runtime = LoopRuntime(shared.threads, shared.io_threads)
        current = require_run("the run")
        ending = LoopCancellation(current, runtime)
        entry = ActiveRun(current, ending.request, ending.is_lost)
        with shared.active_runs.registered(entry), ending:
            try:
                return await starting.start(runtime)
            except ExecutionFailedError as error:
                shorten(error)
                raise


def _never_started() -> RunLog:
    return RunLog(run_id="not-started", status=defaults.CREATED)


_NOTHING = nullcontext()


def _shown(
    context: RunContext, options: Options, *, is_nested: bool
) -> AbstractContextManager[object]:
    """Show the progress of a run, if the caller or the launcher wants to see it."""
    by_launcher = launcher().options.progress and not is_nested
    if not (options.progress or by_launcher):
        return _NOTHING
    from runnable.progress import shown  # most runs are not shown

    return shown(context, shows_end=not by_launcher)


def _same_for_all(
    settings: RunSettings, services: Mapping[str, object]
) -> AbstractContextManager[object]:
    """Have markers get the service that was made, where an override makes one."""
    if not settings.overrides:
        return _NOTHING
    stack = ExitStack()
    for kind in services.keys() & settings.overrides.keys():
        stack.enter_context(settings.overrides[kind](services[kind]))
    return stack


def _settings(options: Options, container: AnyRunContainer | None) -> RunSettings:
    # A step's environment belongs to its own run: the run nested in it looks
    # at the real one, and is not the run that RUNNABLE_RUN_ID names.
    if isinstance(container, type):
        problem = f"container: {container.__name__} is a class; give an instance of it"
        raise ConfigurationError(problem)
    nested = find_run() is not None
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
    request: RunRequest,
    run_id: str,
    settings: RunSettings,
    services: Mapping[str, object],
) -> RunContext:
    return request.context_type.model_validate({
        **request.origin,
        "run_id": run_id,
        "retry_indicator": settings.retry_indicator,
        "is_retry": bool(settings.retry_run_id),
        "tag": settings.tag,
        "tags": dict(settings.tags),
        "notes": dict(settings.notes),
        "log_level": settings.log_level,
        "configuration_file": settings.configuration_file,
        "parameters_file": settings.parameters_file,
        "variables": settings.variables,
        "code_ids": settings.code_ids,
        "must_be_new": settings.must_be_new,
        "part": described_part(settings),
        **services,
    })


def _check_resumption(request: RunRequest, options: Options, run_id: str) -> None:
    if request.job is not None and not request.runs_here:
        why = "a job is one task; execute it again, without RUNNABLE_RETRY_RUN_ID"
        raise RetryValidationError(run_id, why)
    if options.run_id and options.run_id != run_id:
        why = f"it keeps its id, and cannot get the run_id {options.run_id!r}"
        raise RetryValidationError(run_id, why)
