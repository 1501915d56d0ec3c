"""A queue that gets the events of tasks, as version 0.50 had it.

New code reads `execute_streaming(lifecycle=True)`, which has everything.
"""

import json
from collections.abc import Mapping

from runnable.context import RunContext
from runnable.datastore import (
    AnyParameter,
    StepFinished,
    StepStarted,
)
from runnable.defaults import SUCCESS
from runnable.events import Event, TaskEvent
from runnable.graph import TaskNode, node_at, parent
from runnable.journal import StoredObject
from runnable.scope import EventQueue, current_scope
from runnable.scope import set_stream_queue as set_queue

_MOST_BYTES = 256
_MOST_NAME = 100
_CUT = "..."


def set_stream_queue(queue: EventQueue | None) -> None:
    """Send the events of the runs that are started in this context to a queue.

    Each event is a mapping with a `type`: `task_started` with `name` and `inputs`,
    `task_completed` with `name` and `outputs`, `task_error` with `name` and `error`,
    and what generators yield.

    Args:
        queue: The queue; None to send events nowhere.

    Example:
        >>> import queue
        >>> from runnable import PythonTask
        >>> events = queue.Queue()
        >>> set_stream_queue(events)
        >>> in_memory = {"run_log_store": {"type": "memory"},
        ...              "catalog": {"type": "do-nothing"}}
        >>> task = PythonTask(name="t", function=lambda: 1, returns=["x"])
        >>> _ = task.as_pipeline().execute(services=in_memory)
        >>> [event["type"] for event in events.queue]
        ['task_started', 'task_completed']
        >>> set_stream_queue(None)
    """
    set_queue(queue)


def get_stream_queue() -> EventQueue | None:
    """Return the queue that `set_stream_queue` has set in this context, if any.

    Example:
        >>> import queue
        >>> events = queue.Queue()
        >>> set_stream_queue(events)
        >>> get_stream_queue() is events
        True
        >>> set_stream_queue(None)
    """
    return current_scope().stream_queue


def truncate_value(value: object, max_bytes: int = _MOST_BYTES) -> str:
    """Write a value as JSON, cut if it is long.

    Args:
        value: Anything; what JSON cannot express becomes its text.
        max_bytes: The most that is kept of it, with the dots that mark a cut.

    Example:
        >>> truncate_value("abcdef", max_bytes=4)
        '"...'
    """
    encoded = json.dumps(value, default=str).encode()
    if len(encoded) <= max_bytes:
        return encoded.decode()
    kept = encoded[: max(0, max_bytes - len(_CUT))].decode(errors="ignore")
    return (kept + _CUT)[: max(0, max_bytes)]


class QueueSubscriber:
    """Sends the events of the tasks of a run to a queue.

    Args:
        queue: The queue.
        context: That of the run.
    """

    def __init__(self, queue: EventQueue, context: RunContext) -> None:
        self._queue = queue
        self._context = context

    def __call__(self, event: Event) -> None:
        """Take an event."""
        if isinstance(event, TaskEvent):
            self._queue.put_nowait(dict(event.event))
        elif isinstance(event, StepStarted | StepFinished):
            self._put_record(event)

    def _put_record(self, record: StepStarted | StepFinished) -> None:
        name = self._command(record.path)
        if name is None:
            return
        if isinstance(record, StepStarted):
            run = self._context.run
            assert run is not None  # noqa: S101 - it has just recorded something
            assert run.state is not None  # noqa: S101 - likewise
            inputs = _texts(run.state.visible(parent(record.path)))
            self._put("task_started", name, inputs=inputs)
        elif record.status == SUCCESS:
            outputs = {"outputs": _texts(record.outputs)} if record.outputs else {}
            self._put("task_completed", name, **outputs)
        else:
            self._put("task_error", name, error=record.message[:_MOST_BYTES])

    def _put(self, kind: str, name: str, **more: object) -> None:
        self._queue.put_nowait({"type": kind, "name": name, **more})

    def _command(self, path: str) -> str | None:
        """Return what a step runs; None if it is no task."""
        graph = self._context.dag
        node = node_at(graph, path) if graph is not None else None
        if not isinstance(node, TaskNode):
            return None
        return str(node.task.describe()["command"])[:_MOST_NAME]


def _texts(parameters: Mapping[str, AnyParameter]) -> dict[str, str]:
    return {
        name: "<object>" if isinstance(it, StoredObject) else truncate_value(it.value)
        for name, it in parameters.items()
    }
