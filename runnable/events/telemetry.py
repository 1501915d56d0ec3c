"""Spans and metrics of runs, through the OpenTelemetry API.

Theory of operation. A subscriber turns the events of a run into spans: one for the run,
one for each step within it, one for each attempt. It exists only where the program has
configured an SDK: without one, nothing of OpenTelemetry is imported. The span of a run
stands in whatever span is current where the run is started, such as that of a request;
spans that tasks make themselves stand in that of their attempt. A step that runs in a
process of its own gets the trace in its environment, as W3C has it.
"""

import contextlib
import functools
import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple, Protocol

from runnable import defaults
from runnable.capture import environment_of_step
from runnable.datastore import (
    RunFinished,
    RunStarted,
    StepFinished,
    StepReleased,
    StepStarted,
)
from runnable.events.types import Event, Launched, TaskEvent, Warned
from runnable.graph import Graph, TaskNode, node_at, parent
from runnable.secrets import Masker
from runnable.system.moments import moment_of

if TYPE_CHECKING:
    from contextvars import Token

    from opentelemetry.context import Context
    from opentelemetry.metrics import Counter, Histogram, MeterProvider
    from opentelemetry.trace import Span

_NAME = "runnable"
_CARRIED = ("traceparent", "tracestate")
_OURS = "RUNNABLE_"
"""Prefix of the variables by which another process continues a trace of ours."""


def is_configured() -> bool:
    """Return True if the program has configured OpenTelemetry."""
    trace = sys.modules.get("opentelemetry.trace")
    metrics = sys.modules.get("opentelemetry.metrics")
    return bool(
        (trace and _is_real(trace.get_tracer_provider()))
        or (metrics and _is_real(metrics.get_meter_provider()))
    )


def _is_real(provider: object) -> bool:
    """Return True for a real provider, not the placeholder of the API."""
    kind = type(provider)
    of_api = kind.__module__.partition(".")[0] == "opentelemetry" and not (
        kind.__module__.startswith("opentelemetry.sdk")
    )
    return not (of_api and kind.__name__.lstrip("_").startswith(("Proxy", "NoOp")))


def carried_environment() -> dict[str, str]:
    """Return the variables by which another process continues the current trace."""
    if not is_configured():
        return {}
    from opentelemetry.propagate import inject

    carrier: dict[str, str] = {}
    inject(carrier)
    return {_OURS + it.upper(): carrier[it] for it in _CARRIED if it in carrier}


class RunDescription(Protocol):
    """The context of a run, as far as spans describe it."""

    @property
    def run_id(self) -> str:
        """The id of the run."""
        ...

    @property
    def tag(self) -> str:
        """Its tag."""
        ...

    @property
    def tags(self) -> Mapping[str, str]:
        """Its tags by key."""
        ...

    @property
    def masker(self) -> Masker:
        """Replaces its secrets."""
        ...

    @property
    def dag(self) -> Graph | None:
        """Its graph, once it runs; a job has none."""
        ...


class _Instruments(NamedTuple):
    """The instruments of the metrics."""

    runs: "Counter"
    seconds: "Histogram"
    attempt_seconds: "Histogram"


@functools.lru_cache(maxsize=1)
def _instruments(provider: "MeterProvider") -> _Instruments:
    # Once, and not for each run: what stands in for a provider keeps all it has made.
    meter = provider.get_meter(_NAME)
    duration = "runnable.attempt.duration"
    return _Instruments(
        meter.create_counter("runnable.runs", description="Ended runs"),
        meter.create_histogram("runnable.run.duration", "s", "How long runs take"),
        meter.create_histogram(duration, "s", "How long attempts of steps take"),
    )


class _OpenStep(NamedTuple):
    """A step, which may be tried again."""

    span: "Span"
    ended: int
    """When its last attempt ended, in nanoseconds."""


class Telemetry:
    """Turns the events of one run into spans and metrics.

    Args:
        context: Describes the run.
        environment: May carry the trace that another process has started.
    """

    def __init__(
        self, context: RunDescription, environment: Mapping[str, str] | None = None
    ) -> None:
        from opentelemetry import metrics, trace
        from opentelemetry.propagate import extract

        self._context = context
        self._tracer = trace.get_tracer(_NAME)
        variables = environment_of_step() if environment is None else environment
        ours = {
            name: variables[_OURS + name.upper()]
            for name in _CARRIED
            if _OURS + name.upper() in variables
        }
        inherited = extract(ours) if ours else None
        # An invalid trace is ignored: the run's parent is the current span, as usual.
        valid = trace.get_current_span(inherited).get_span_context().is_valid
        self._parent = inherited if valid else None
        self._run: Span | None = None
        self._steps: dict[str, _OpenStep] = {}
        self._attempts: dict[str, tuple[Span, Token[Context]]] = {}
        self._began = time.monotonic()
        self._started: dict[str, int] = {}
        self._launched: set[str] = set()
        self._measure = _instruments(metrics.get_meter_provider())

    def __call__(self, event: Event) -> None:
        """Take an event."""
        match event:
            case RunStarted():
                self._begin_run()
            case Launched():
                self._note_launched(event)
            case StepStarted():
                self._begin_attempt(event)
            case StepFinished():
                self._end_attempt(event)
            case RunFinished():
                self._end_run(event.status)
            case StepReleased():
                self._end_steps()
            case _:
                self._leave_scope(event)

    def _begin_run(self) -> None:
        graph, masker = self._context.dag, self._context.masker
        tags = masker.texts(self._context.tags)
        kind, name = ("pipeline", graph.name) if graph is not None else ("job", "")
        self._run = self._tracer.start_span(
            f"{kind}:{name}",
            self._parent,
            attributes={
                "runnable.run_id": self._context.run_id,
                "runnable.tag": masker.text(self._context.tag),
                "runnable.pipeline": name,
                **{f"runnable.tag.{key}": it for key, it in tags.items()},
            },
        )

    def _within(self, branch: str) -> "Context | None":
        """Return the context of the parent of a path: of its step, or of the run."""
        from opentelemetry.trace import set_span_in_context

        step = self._steps.get(parent(branch)) if branch else None
        span = step.span if step is not None else self._run
        return set_span_in_context(span) if span is not None else self._parent

    def _begin_attempt(self, record: StepStarted) -> None:
        from opentelemetry import context
        from opentelemetry.trace import set_span_in_context

        scope, path = parent(record.path), record.path
        if path in self._launched:
            return
        # As recorded: of steps on a cluster, it is learned of later.
        began = _nanoseconds(record.at)
        self._end_steps_of(scope, but=path)
        if path not in self._steps:
            about = {"runnable.step": path, "runnable.step_type": record.step_type}
            around = self._within(scope)
            span = self._tracer.start_span(
                self._name(path), around, attributes=about, start_time=began
            )
            self._steps[path] = _OpenStep(span, 0)
        outer = set_span_in_context(self._steps[path].span)
        span = self._steps[path].span
        if record.attempt:
            span = self._tracer.start_span(
                f"attempt {record.attempt}",
                outer,
                attributes={"runnable.attempt": record.attempt},
                start_time=began,
            )
        self._started[path] = began
        token = context.attach(set_span_in_context(span))
        self._attempts[path] = span, token

    def _name(self, path: str) -> str:
        graph = self._context.dag
        node = node_at(graph, path) if graph is not None else None
        if isinstance(node, TaskNode):
            return f"task:{node.task.describe()['command']!s:.100}"
        return f"step:{path}"

    def _end_attempt(self, record: StepFinished) -> None:
        from opentelemetry import context

        path = record.path
        found = self._attempts.pop(path, None)
        if found is None:
            return  # it was run in another process, which has spans of its own
        span, token = found
        with contextlib.suppress(ValueError, RuntimeError):
            context.detach(token)
        ended = _nanoseconds(record.at)
        seconds = (ended - self._started.pop(path)) / 1e9
        # By name: paths have the items of maps in them.
        name = path.rpartition(".")[2]
        about = {"runnable.status": record.status, "runnable.step": name}
        self._measure.attempt_seconds.record(seconds, about)
        _set_status(span, record.status, record.message)
        if record.attempt:
            span.end(ended)
        step = self._steps[path]
        _set_status(step.span, record.status, record.message)
        self._steps[path] = step._replace(ended=ended)

    def _note_launched(self, event: Launched) -> None:
        # The process of a step makes spans of its own.
        if event.is_lost:
            self._launched.discard(event.path)
        else:
            self._launched.add(event.path)

    def _leave_scope(self, event: Event) -> None:
        if not isinstance(event, TaskEvent | Warned):
            self._end_steps_of(getattr(event, "path", ""), but="")

    def _end_steps_of(self, scope: str, but: str) -> None:
        """End the spans of earlier steps of a scope: another step has started there."""
        for path, step in list(self._steps.items()):
            if step.ended and path != but and parent(path) == scope:
                step.span.end(step.ended)
                del self._steps[path]

    def _end_steps(self) -> None:
        for path in sorted(self._steps, reverse=True):
            step = self._steps.pop(path)
            step.span.end(step.ended or None)

    def _end_run(self, status: str) -> None:
        self._end_steps()
        if self._run is not None:
            _set_status(self._run, status, "")
            self._run.end()
        graph = self._context.dag
        about = {
            "runnable.status": status,
            "runnable.pipeline": graph.name if graph is not None else "",
        }
        self._measure.runs.add(1, about)
        self._measure.seconds.record(time.monotonic() - self._began, about)


def _nanoseconds(moment: str) -> int:
    """Return the moment of a record, as spans have it."""
    return round(moment_of(moment).timestamp() * 1e9)


def _set_status(span: "Span", status: str, message: str) -> None:
    from opentelemetry.trace import StatusCode

    span.set_attribute("runnable.status", status)
    if status == defaults.SUCCESS:
        # A step that has failed at first is what it came to at last.
        span.set_status(StatusCode.OK)
    elif status == defaults.FAIL:
        span.set_status(StatusCode.ERROR, message)
    else:
        span.set_attribute("runnable.message", message)


def subscriber(context: RunDescription) -> "Telemetry | None":
    """Return the subscriber that makes spans of a run; None if none is configured.

    Args:
        context: Describes the run.
    """
    return Telemetry(context) if is_configured() else None
