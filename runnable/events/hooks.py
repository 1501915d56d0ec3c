"""Hooks: webhooks and functions that are called when a step or a run has ended."""

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from types import MappingProxyType
from typing import Literal, NamedTuple, Self, cast
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    PrivateAttr,
    ValidationError,
    model_validator,
)
from pydantic_core import to_json

from runnable.errors import ConfigurationError
from runnable.scope.options import Where, nowhere

When = Literal["failed", "succeeded", "all", "step"]
MOMENTS: Mapping[str, When] = {
    "on_run_end": "failed",
    "on_failure": "failed",
    "on_success": "succeeded",
    "on_step": "step",
}
"""When hooks are called that stand under a key; `on_run_end` lets each say it."""


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
    tags: Mapping[str, str] = MappingProxyType({})
    """Those that have a key."""

    @property
    def text(self) -> str:
        """One line for people."""
        name = f"{self.pipeline} " if self.pipeline else ""
        why = f": {self.error}" if self.error else ""
        return f"Run {name}{self.run_id}: {self.status}{why}"


class StepEnded(NamedTuple):
    """The end of an attempt of a step, as hooks get it."""

    run_id: str
    step: str
    """Its path in the run, with the names of its branches."""
    status: str
    """`SUCCESS`, `FAIL` or `CANCELLED`."""
    pipeline: str
    """The name of the pipeline; empty for a job."""
    tag: str
    error: str
    """Why it failed, without secrets; else empty."""
    attempt: int
    """From 1; 0 for a step with branches, whose steps have attempts."""
    seconds: float
    """How long it took."""

    @property
    def text(self) -> str:
        """One line for people."""
        why = f": {self.error}" if self.error else ""
        return f"Run {self.run_id}, step {self.step}: {self.status}{why}"


Ended = RunEnded | StepEnded


class Hook(BaseModel):
    """Something that is called when a run, or each step of it, has ended.

    Example:
        >>> Hook(webhook="https://chat.example/hooks/1", when="all").when
        'all'
    """

    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True)

    webhook: str = ""
    """Gets a JSON object by POST: the fields of `RunEnded` or `StepEnded`, and its
    text."""
    function: str | Callable[..., object] = ""
    """`package.module:function`, called with a `RunEnded`, or a `StepEnded`; it may be
    a coroutine function."""
    when: When = "failed"
    """After which runs it is called, or after each step."""
    headers: dict[str, str] = {}
    """Of the request to the webhook."""
    timeout_seconds: float = Field(default=10.0, gt=0)
    """How long the webhook may take to answer."""

    _key: str = PrivateAttr("hook")
    """Where it stands."""

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
        """Its name for people; an address may have a secret in its path."""
        if self.webhook:
            return f"webhook of {urlsplit(self.webhook).hostname}"
        return str(getattr(self.function, "__qualname__", self.function))

    def under(self, key: str) -> Self:
        """Take note of the key that it stands under, for errors; returns itself."""
        self._key = key
        return self

    def find(self) -> Callable[[Ended], object]:
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
                f"{self._key}: there is no function {self.function!r}: {error}. Write "
                "package.module:function"
            ) from error
        return cast("Callable[[Ended], object]", found)

    def _post(self, ended: Ended) -> None:
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


def hooks_of(described: object, key: str, where: Where = nowhere) -> list[Hook]:
    """Make hooks of a configuration.

    Args:
        described: A list of mappings, of hooks, of functions or of their dotted names;
            or one of them.
        key: Where they stand, one of `MOMENTS`; says when they are called.
        where: The location of each in a file.

    Raises:
        ConfigurationError: If one is wrong.

    Example:
        >>> hooks_of(print, "on_success")[0].when
        'succeeded'
    """
    if isinstance(described, str | Mapping | Hook) or callable(described):
        return [_hook(cast("object", described), key, where, 0)]
    if not isinstance(described, Sequence):
        problem = (
            f"{key}: {described!r} is no function, and no list of functions, of their "
            "names as package.module:function, or of mappings with `webhook` or "
            "`function`"
        )
        raise ConfigurationError(problem, where())
    items = cast("Sequence[object]", described)
    return [_hook(it, key, where, number) for number, it in enumerate(items)]


def _hook(described: object, key: str, where: Where, number: int) -> Hook:
    if isinstance(described, Hook):
        return described
    try:
        given = described
        if callable(described) or isinstance(described, str):
            given = {"function": described}
        hook = Hook.model_validate(given)
    except ValidationError as error:
        problems = [(*map(str, it["loc"]), it["msg"]) for it in error.errors()]
        text = "; ".join(map(": ".join, problems))
        problem = f"{key}, number {number + 1}: {text}"
        raise ConfigurationError(problem, where(number)) from None
    says_when = "when" in hook.model_fields_set
    if says_when and (key != "on_run_end" or hook.when == "step"):
        problem = f"{key}, number {number + 1}: the key itself says when; drop `when`"
        if key == "on_run_end":
            problem = f"{key}, number {number + 1}: write it under `on_step`"
        raise ConfigurationError(problem, where(number))
    if not says_when:
        hook.when = MOMENTS[key]
    return hook.under(key)
