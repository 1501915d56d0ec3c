"""The one `ContextVar`: which run, which step and which overrides hold here.

Theory of operation. The variable holds an immutable `Scope`. Python gives a thread an
empty one and an asyncio task a copy of its parent's, so a run is seen by the code it
calls and by the tasks that code starts, and by no other code. A context that is
constructed becomes current and is replaced by the next one; `RunScope` *owns* a run:
it closes what was made for it, last to first, and puts back what was current before it
was constructed. It restores by setting, not by token, so that a generator may be
closed in another context. An ended run that leaked into a later call is marked `over`,
and asking for one of its services raises an error that names it.

This is a low layer: the composition root, which markers load, stands on it.
"""

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, Self, TextIO

from runnable.scope.options import Launcher

if TYPE_CHECKING:
    from runnable.journal import RunState


class Description(Protocol):
    """The part of a run context that scopes use."""

    @property
    def run_id(self) -> str:
        """The id of the run."""
        ...


class Endable(Protocol):
    """A call that runs in a thread, and that others can interrupt."""

    def ending_by(self, end: Callable[[], object], /) -> AbstractContextManager[object]:
        """Replace the way it is interrupted, for the length of a block."""
        ...


class Sink(Protocol):
    """Receives the output of a step."""

    @property
    def is_over(self) -> bool:
        """True after the step has ended."""
        ...

    def write(self, text: str, target: TextIO, /) -> object:
        """Keep a piece of output, and pass it on to the stream it was meant for."""
        ...

    def keep(self, text: str, /) -> object:
        """Keep a piece of output that another program has passed on."""
        ...


class StepScope(NamedTuple):
    """The step that is running: what only its code may see."""

    path: str
    attempt: int
    environment: dict[str, str]
    """Variables on top of the real environment, secrets among them."""
    names: frozenset[str]
    """The names that these variables had at first, which stay the step's own."""
    output: Sink
    folder: str = ""
    """The folder of the run, if the step works there; empty for the working
    directory."""
    limits: tuple[tuple[str, int], ...] = ()
    """The limits by name that it counts towards, and how many slots it holds."""


def _steady_clock() -> Callable[[], float]:
    number: int | None = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic if number is None else partial(time.clock_gettime, number)


steady_seconds = _steady_clock()
"""Returns seconds that never go back; they pass also while the machine sleeps."""


@dataclass(slots=True, eq=False, weakref_slot=True)
class Run:
    """A run that is current somewhere."""

    context: Description
    before: "Scope"
    """The scope to restore when this run is over."""
    container: object | None = None
    """The container that answers its markers; the default one if None."""
    entered: bool = False
    over: bool = False
    instances: dict[object, object] = field(default_factory=dict[object, object])
    """Services that were made once for this run, by provider."""
    stack: ExitStack | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)
    """Held for a moment, to find the lock of one service."""
    making: dict[object, threading.RLock] = field(
        default_factory=dict[object, threading.RLock]
    )
    """The lock of each service that is made once for this run."""
    calls: dict[int, Endable] = field(default_factory=dict[int, Endable])
    """The calls of its tasks that are running, by the thread's number."""
    thread: int = field(default_factory=threading.get_ident)
    """The number of the thread that started it."""
    state: "RunState | None" = None
    """The state of its records, once it has started."""
    limiters: tuple[object, ...] = ()
    """The `Limiter`s of its tasks, which runs that are nested in it share."""
    clock_offset: float = field(default_factory=lambda: time.time() - steady_seconds())
    """To be added to `steady_seconds` for the time of day."""
    conclude: Callable[[], object] | None = None
    """Records its end where its own code cannot, once it has started."""

    @property
    def outer(self) -> "Run | None":
        """The run to a step of which it belongs, if any."""
        run = self.before.run
        return None if run is None or run.over else run

    @property
    def is_apart(self) -> bool:
        """True if it runs in a thread that the outer run cannot interrupt."""
        outer = self.outer
        return outer is not None and self.thread not in {*outer.calls, outer.thread}

    @property
    def closing(self) -> ExitStack:
        """Closes services with the run; most runs have none."""
        if self.stack is None:
            self.stack = ExitStack()
        return self.stack


class ServiceOverride(Protocol):
    """A service that answers in place of a provider's own."""

    @property
    def value(self) -> object:
        """The service, or a provider that makes it."""
        ...


class EventQueue(Protocol):
    """A `queue.Queue`, or something like it."""

    def put_nowait(self, item: dict[str, object]) -> object:
        """Take an event, without waiting."""
        ...


class Clock(NamedTuple):
    """A clock that runs use instead of the machine's."""

    now: Callable[[], float]
    """Returns a POSIX timestamp."""
    wait: Callable[[float], object] | None = None
    """Advances the clock by some seconds; None if callers have to wait themselves."""


class Scope(NamedTuple):
    """Everything that is set for one execution context."""

    run: Run | None = None
    step: StepScope | None = None
    overrides: Mapping[object, tuple[ServiceOverride, ...]] = MappingProxyType({})
    """Overriding services by provider, the innermost last."""
    launcher: "Launcher | None" = None
    """The program that starts runs here, if one was set."""
    clock: Clock | None = None
    listeners: tuple[Callable[[Any], Any], ...] = ()
    """Subscribers of all runs that are started here; `events.Subscriber`s."""
    stream_queue: EventQueue | None = None


_current: ContextVar[Scope] = ContextVar("runnable_scope", default=Scope())  # noqa: B039 - immutable


current_scope = _current.get
"""Returns what holds here."""


def current_step() -> StepScope | None:
    """Return the step whose code is running, unless its run is over."""
    scope = _current.get()
    step = scope.step
    return None if step is None or scope.run is None or scope.run.over else step


def enter_step(step: StepScope | None) -> Scope:
    """Make a step current.

    Args:
        step: The step, or None for none.

    Returns:
        The scope that was current, for `restore`.
    """
    scope = _current.get()
    # Each task enters one: this is a third of what `_replace` takes.
    _current.set(Scope(scope[0], step, *scope[2:]))
    return scope


def restore(scope: Scope) -> None:
    """Make an earlier scope the current one again."""
    _current.set(scope)


def set_overrides(overrides: Mapping[object, tuple[ServiceOverride, ...]]) -> None:
    """Replace the service overrides of this context."""
    _current.set(_current.get()._replace(overrides=overrides))


def set_launcher(launcher: Launcher | None) -> None:
    """Set the program that starts runs in this context."""
    _current.set(_current.get()._replace(launcher=launcher))


def set_clock(clock: Clock | None) -> None:
    """Set the clock of this context; None for the machine's."""
    _current.set(_current.get()._replace(clock=clock))


def set_listeners(listeners: tuple[Callable[[Any], Any], ...]) -> None:
    """Replace the subscribers of runs that are started in this context."""
    _current.set(_current.get()._replace(listeners=listeners))


def set_stream_queue(queue: EventQueue | None) -> None:
    """Set the queue that gets the events of runs that are started in this context."""
    _current.set(_current.get()._replace(stream_queue=queue))


def set_run(run: Run | None, step: StepScope | None = None) -> None:
    """Make a run current, or none; everything else in this context stays."""
    _current.set(_current.get()._replace(run=run, step=step))


def make_current(context: Description) -> Run:
    """Make a context current that is not entered yet; it replaces such a one."""
    scope = _current.get()
    replaced = scope.run is not None and not scope.run.entered
    run = Run(context, scope.run.before if replaced and scope.run else _before(scope))
    set_run(run)
    return run


def _before(scope: Scope) -> Scope:
    # A run that is over is never restored; keeping it would chain runs to one another.
    over = scope.run is not None and scope.run.over
    return scope._replace(run=None, step=None) if over else scope


def find_run() -> Run | None:
    """Return the current run, unless there is none or it is over."""
    run = _current.get().run
    return None if run is None or run.over else run


def require_run(service: str) -> Run:
    """Return the current run; there must be one.

    Args:
        service: What is asked for, for the error's text.

    Returns:
        The run, which is not over.

    Raises:
        RuntimeError: If no run is current here; the text names the cures.
    """
    run = _current.get().run
    if run is not None and not run.over:
        return run
    raise RuntimeError(_explain(service, run))


def _explain(service: str, ended: Run | None) -> str:
    text = (
        "No run context available in current execution context: "
        f"{service!r} was asked for outside a run. Ask within one, or pass the "
        "argument yourself."
    )
    if ended is not None:
        text += f" (The run {ended.context.run_id!r}, current here, is over.)"
    thread = threading.current_thread()
    if thread is not threading.main_thread():
        text += (
            f" Thread {thread.name!r} does not inherit a run: submit "
            "runnable.context.propagate(function), or use "
            "runnable.context.ContextThreadPool as the pool."
        )
    return text


class RunScope:
    """Own a run for the length of a `with` block.

    Args:
        context: Describes the run; becomes current, if it is not yet.
        container: The container whose services the run uses; the default one, or
            that of the run it is nested in, if None.
        before: What holds again afterwards; what held before the context was
            constructed, if None.

    Example:
        >>> from runnable.context import PipelineContext, RunScope, get_run_context
        >>> with RunScope(PipelineContext(run_id="r1")):
        ...     get_run_context().run_id
        'r1'
        >>> get_run_context() is None
        True
    """

    def __init__(
        self,
        context: Description,
        container: object | None = None,
        before: Scope | None = None,
    ) -> None:
        self._context = context
        self._container = container
        self._before = before
        self._owned: Run | None = None

    def __enter__(self) -> Self:
        run = find_run()
        if run is not None and run.context is self._context:
            if run.entered:
                return self  # joins a run that an outer block owns
        else:
            run = Run(self._context, _before(current_scope()))
            set_run(run)
        run.entered = True
        if self._before is not None:
            run.before = _before(self._before)
        outer = run.before.run.container if run.before.run is not None else None
        run.container = self._container if self._container is not None else outer
        self._owned = run
        return self

    def on_exit(self, callback: Callable[[], object]) -> None:
        """Call something when the run is over; the last one first.

        Args:
            callback: Called once, also after a failure.
        """
        require_run("the run").closing.callback(callback)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        run = self._owned
        if run is None:
            return
        try:
            if run.stack is not None:
                run.stack.__exit__(kind, error, traceback)
        finally:
            run.over = True
            run.instances.clear()
            before, run.before = run.before, Scope()
            # A generator may be closed where another run is current, which stays.
            if current_scope().run is run:
                set_run(before.run, before.step)
