"""Spans on the stream queue, as version 0.50 had them; needs the OpenTelemetry SDK."""

from typing import Any

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor

from runnable.scope import EventQueue
from runnable.sdk.stream_queue import get_stream_queue, truncate_value

_NANOSECONDS_OF_MS = 1_000_000


class StreamingSpanProcessor(SpanProcessor):
    """Sends an event to the stream queue for each span that starts and ends.

    Args:
        base_processor: Gets every span as well, such as one that exports spans.

    Example:
        >>> StreamingSpanProcessor().force_flush()
        True
    """

    def __init__(self, base_processor: SpanProcessor | None = None) -> None:
        self._base = base_processor
        self._queues: dict[int, EventQueue] = {}
        """By span: it may end in another context."""

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Send `span_start` with its name and its id, 16 hexadecimal digits."""
        if self._base is not None:
            self._base.on_start(span, parent_context)
        queue = get_stream_queue()
        if queue is not None:
            number = span.get_span_context().span_id
            self._queues[number] = queue
            queue.put_nowait({
                "type": "span_start",
                "name": span.name,
                "span_id": f"{number:016x}",
            })

    def on_end(self, span: ReadableSpan) -> None:
        """Send `span_end` with its status, duration and attributes."""
        if self._base is not None:
            self._base.on_end(span)
        context = span.get_span_context()
        number = context.span_id if context is not None else 0
        queue = self._queues.pop(number, None)
        if queue is None:
            return
        nanoseconds = (span.end_time or 0) - (span.start_time or 0)
        attributes: dict[str, Any] = dict(span.attributes or {})
        queue.put_nowait({
            "type": "span_end",
            "name": span.name,
            "span_id": f"{number:016x}",
            "status": span.status.status_code.name,
            "duration_ms": nanoseconds / _NANOSECONDS_OF_MS,
            "attributes": {key: truncate_value(it) for key, it in attributes.items()},
        })

    def shutdown(self) -> None:
        """Shut down the base processor as well."""
        if self._base is not None:
            self._base.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Flush the base processor."""
        return self._base.force_flush(timeout_millis) if self._base else True
