"""Tell others that a run has ended: a webhook, or a function.

Theory of operation. A subscriber takes note of what the run came to. When its end has
been recorded, hooks are called in threads of their own, which the end of the program
waits for: a slow one delays no run. What a hook raises is logged, and nothing else.
"""

import asyncio
import inspect
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import partial
from importlib import import_module
from typing import Any, Literal, NamedTuple, Protocol, Self, cast
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    ValidationError,
    model_validator,
)
from pydantic_core import to_json

from runnable import defaults
from runnable.concurrency import Threads
from runnable.errors import ConfigurationError
from runnable.events.telemetry import RunDescription
from runnable.events.types import Event
from runnable.journal import RunFinished, RunResumed, RunStarted, StepFinished
from runnable.scope import Run
from runnable.scope.options import Where, nowhere

logger = logging.getLogger(__name__)


class RunEnded(NamedTuple):
    """The end of a run, as hooks get it."""

    run_id: str
    status: str
    """`SUCCESS`, `FAIL` or `CANCELLED`."""
    pipeline: str
    """Its name; empty for a job."""
    tag: str
    error: str
    """The path of the step that failed last and why, without secrets; else empty."""
    metrics: Mapping[str, JsonValue]
    """Its short metrics."""

    @property
    def text(self) -> str:
        """One line for people."""
        name = f"{self.pipeline} " if self.pipeline else ""
        why = f": {self.error}" if self.error else ""
        return f"Run {name}{self.run_id}: {self.status}{why}"


class EndingRun(RunDescription, Protocol):
    """The context of a run, as far as hooks need it."""

    @property
    def run(self) -> Run | None:
        """The run itself, which has its state."""
        ...


class Hook(BaseModel):
    """Something that is called when a run has ended.

    Example:
        >>> Hook(webhook="https://chat.example/hooks/1", when="all").when
        'all'
    """

    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True)

    webhook: str = ""
    """Gets a JSON object by POST: the fields of `RunEnded`, and its text."""
    function: str | Callable[[RunEnded], object] = ""
    """`package.module:function`, called with a `RunEnded`; it may be a coroutine
    function."""
    when: Literal["failed", "all"] = "failed"
    """After which runs it is called."""
    headers: dict[str, str] = {}
    """Of the request to the webhook."""
    timeout_seconds: float = Field(default=10.0, gt=0)
    """How long the webhook may take to answer."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if bool(self.webhook) == bool(self.function):
            raise ValueError("give a `webhook`, or a `function`")
        if self.webhook and urlsplit(self.webhook).scheme not in {"http", "https"}:
            raise ValueError("`webhook` is no address that begins with http or https")
        # What is wrong with these would be shown with them, and they may be secret.
        if not (self.webhook.isascii() and self.webhook.isprintable()) or (
            " " in self.webhook
        ):
            raise ValueError("`webhook` has a blank or another odd letter in it")
        if any("\n" in it or "\r" in it for it in self.headers.values()):
            raise ValueError("a value of `headers` has a line end in it")
        return self

    @property
    def name(self) -> str:
        """What people know it by; an address may have a secret in its path."""
        if self.webhook:
            return f"webhook of {urlsplit(self.webhook).hostname}"
        return str(getattr(self.function, "__qualname__", self.function))

    def find(self) -> Callable[[RunEnded], object]:
        """Return what is to be called.

        Raises:
            ConfigurationError: If its function cannot be imported.
        """
        if self.webhook:
            return self._post
        if not isinstance(self.function, str):
            return self.function
        module, _, name = self.function.replace(":", ".").rpartition(".")
        try:
            found = getattr(import_module(module), name)
        except (ImportError, AttributeError, ValueError) as error:
            raise ConfigurationError(
                f"on_run_end: there is no function {self.function!r}: {error}. Write "
                "package.module:function"
            ) from error
        return cast("Callable[[RunEnded], object]", found)

    def _post(self, ended: RunEnded) -> None:
        from urllib import request

        opener = request.OpenerDirector()
        # Redirections are not followed: the headers may be secret.
        for handler in (
            request.ProxyHandler(),
            request.HTTPHandler(),
            request.HTTPSHandler(),
            request.HTTPDefaultErrorHandler(),
            request.HTTPErrorProcessor(),
        ):
            opener.add_handler(handler)
        fields = {**ended._asdict(), "text": ended.text}
        content = to_json(fields, inf_nan_mode="null")
        headers = {"Content-Type": "application/json", **self.headers}
        post = request.Request(self.webhook, content, headers)  # noqa: S310 - checked
        answer = opener.open(post, timeout=self.timeout_seconds)
        if answer is not None:
            answer.close()


def hooks_of(described: object, where: Where = nowhere) -> list[Hook]:
    """Make hooks of a configuration.

    Args:
        described: A list of mappings, of hooks or of functions.
        where: Where it stands.

    Raises:
        ConfigurationError: If one is wrong.
    """
    if isinstance(described, str | Mapping) or not isinstance(described, Sequence):
        problem = "on_run_end: it is a list, of mappings with `webhook` or `function`"
        raise ConfigurationError(problem, where())
    items = cast("Sequence[object]", described)
    return [_hook(it, where, number) for number, it in enumerate(items)]


def _hook(described: object, where: Where, number: int) -> Hook:
    if isinstance(described, Hook):
        return described
    try:
        if callable(described):
            return Hook(function=described)
        return Hook.model_validate(described)
    except ValidationError as error:
        problems = [(*map(str, it["loc"]), it["msg"]) for it in error.errors()]
        text = "; ".join(map(": ".join, problems))
        problem = f"on_run_end, number {number + 1}: {text}"
        raise ConfigurationError(problem, where(number)) from None


class RunEndHooks:
    """Calls the hooks of a run when it has ended.

    Args:
        context: Describes the run.
        hooks: Called after it.
        threads: Where they are called.

    Raises:
        ConfigurationError: If a function cannot be imported.
    """

    def __init__(
        self, context: EndingRun, hooks: Sequence[Hook], threads: Threads
    ) -> None:
        self._context = context
        self._calls = [(it.name, it.when, it.find()) for it in hooks]
        self._threads = threads
        self._failed: dict[str, str] = {}
        """Why steps failed, by path; not of steps that failed by what is in them."""

    def __call__(self, event: Event) -> None:
        """Take note of an event; at the end, have the hooks called."""
        match event:
            case RunStarted() | RunResumed():
                self._failed.clear()
            case StepFinished():
                self._note_end(event)
            case RunFinished():
                self._call_all(event)
            case _:
                pass

    def _note_end(self, event: StepFinished) -> None:
        self._failed.pop(event.path, None)
        has_cause = any(it.startswith(f"{event.path}.") for it in self._failed)
        if event.status == defaults.FAIL and event.message and not has_cause:
            self._failed[event.path] = event.message

    def _error(self) -> str:
        """Return the step that failed last, and why."""
        failed = self._failed
        state = self._context.run.state if self._context.run is not None else None
        if not failed and state is not None:
            # The steps ran in other processes.
            failed = {it.path: it.message for it in state.steps_below("") if it.message}
        return ": ".join(list(failed.items())[-1]) if failed else ""

    def _call_all(self, end: RunFinished) -> None:
        has_failed = end.status == defaults.FAIL
        graph, error = self._context.dag, self._error() if has_failed else ""
        ended = RunEnded(
            self._context.run_id,
            end.status,
            graph.name if graph is not None else "",
            self._context.masker.text(self._context.tag),
            error,
            end.metrics,
        )
        for name, when, function in self._calls:
            if when == "all" or has_failed:
                self._threads.submit(partial(_call, name, function, ended))


def _call(name: str, function: Callable[[RunEnded], object], ended: RunEnded) -> None:
    try:
        result = function(ended)
        if inspect.iscoroutine(result):
            with asyncio.Runner() as runner:
                runner.run(cast("Coroutine[Any, Any, object]", result))
    except Exception:
        # It must not decide how a run ends, and nobody waits for it.
        logger.exception("Run %s: the hook on_run_end, %s, failed", ended.run_id, name)
