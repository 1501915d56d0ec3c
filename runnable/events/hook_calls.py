"""Tell hooks what has ended.

Theory of operation. A subscriber takes note of what the run and its steps came to. When
an end has been recorded, hooks are called in threads of their own, which the end of the
program waits for: a slow one delays no run. Each hook of a run is called with one end
after the other, in their order. What a hook raises is logged, and nothing else.
"""

import asyncio
import inspect
import logging
import threading
from collections import deque
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Protocol, cast

from runnable import defaults
from runnable.concurrency import Threads
from runnable.events.hooks import Ended, Hook, RunEnded, StepEnded, When
from runnable.events.telemetry import RunDescription
from runnable.events.types import Event
from runnable.journal import (
    RunFinished,
    RunResumed,
    RunStarted,
    StepFinished,
    StepStarted,
)
from runnable.scope import Run
from runnable.system.moments import moment_of

logger = logging.getLogger(__name__)


class EndingRun(RunDescription, Protocol):
    """The context of a run, as far as hooks need it."""

    @property
    def run(self) -> Run | None:
        """The run itself, which has its state."""
        ...


class HookCalls:
    """Calls the hooks of a run.

    Args:
        context: Describes the run.
        hooks: Those that are called.
        threads: Where they are called.

    Raises:
        ConfigurationError: If a function cannot be imported.
    """

    def __init__(
        self, context: EndingRun, hooks: Iterable[Hook], threads: Threads
    ) -> None:
        self._context = context
        self._calls = [_Calls(it, threads) for it in hooks]
        self._tells_steps = any(it.when == "step" for it in self._calls)
        self._began: dict[str, str] = {}
        """When steps have started, by path; of those that are active."""
        self._failed: dict[str, str] = {}
        """Why steps failed, by path; not of steps that failed by what is in them."""

    def __call__(self, event: Event) -> None:
        """Take note of an event; at an end, have the hooks called."""
        match event:
            case RunStarted() | RunResumed():
                self._failed.clear()
            case StepStarted():
                self._began[event.path] = event.at
            case StepFinished():
                self._note_end(event)
            case RunFinished():
                self._tell_run(event)
            case _:
                pass

    def _note_end(self, event: StepFinished) -> None:
        self._failed.pop(event.path, None)
        has_cause = any(it.startswith(f"{event.path}.") for it in self._failed)
        if event.status == defaults.FAIL and event.message and not has_cause:
            self._failed[event.path] = event.message
        began = self._began.pop(event.path, event.at)
        if self._tells_steps:
            took = moment_of(event.at) - moment_of(began)
            name, tag = self._names()
            ended = StepEnded(
                *(self._context.run_id, event.path, event.status, name, tag),
                *(event.message, event.attempt, took.total_seconds()),
            )
            self._tell({"step"}, ended)

    def _error(self) -> str:
        """Return the step that failed last, and why."""
        failed = self._failed
        state = self._context.run.state if self._context.run is not None else None
        if not failed and state is not None:
            # The steps ran in other processes.
            failed = {it.path: it.message for it in state.steps_below("") if it.message}
        return ": ".join(list(failed.items())[-1]) if failed else ""

    def _names(self) -> tuple[str, str]:
        graph = self._context.dag
        name = graph.name if graph is not None else ""
        return name, self._context.masker.text(self._context.tag)

    def _tell_run(self, end: RunFinished) -> None:
        moments: dict[str, set[When]] = {
            defaults.FAIL: {"failed", "all"},
            defaults.SUCCESS: {"succeeded", "all"},
        }
        name, tag = self._names()
        ended = RunEnded(
            *(self._context.run_id, end.status, name, tag),
            self._error() if end.status == defaults.FAIL else "",
            end.metrics,
            self._context.masker.texts(self._context.tags),
        )
        self._tell(moments.get(end.status, {"all"}), ended)

    def _tell(self, moments: set[When], ended: Ended) -> None:
        for hook in self._calls:
            if hook.when in moments:
                hook.add(ended)


class _Calls:
    """The calls of one hook for one run, one after the other.

    Args:
        hook: The hook.
        threads: Where it is called.
    """

    def __init__(self, hook: Hook, threads: Threads) -> None:
        self.when = hook.when
        self._name = hook.name
        self._function = hook.find()
        self._threads = threads
        self._waiting: deque[Ended] = deque()
        self._is_active = False
        self._lock = threading.Lock()

    def add(self, ended: Ended) -> None:
        """Call it soon."""
        with self._lock:
            self._waiting.append(ended)
            if self._is_active:
                return
            self._is_active = True
        self._threads.submit(self._call_all)

    def _call_all(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._is_active = False
                    return
                ended = self._waiting.popleft()
            _call(self._name, self._function, ended)


def _call(name: str, function: Callable[[Ended], object], ended: Ended) -> None:
    try:
        result = function(ended)
        if inspect.iscoroutine(result):
            with asyncio.Runner() as runner:
                runner.run(cast("Coroutine[Any, Any, object]", result))
    except Exception:
        # It must not decide how a run ends, and nobody waits for it.
        logger.exception("Run %s: the hook %s failed", ended.run_id, name)
