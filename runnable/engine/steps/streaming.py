"""Streaming of a generator task: its events, and the end that has its results."""

from collections.abc import Callable, Mapping
from typing import cast

from runnable.events import Pause, TaskEvent
from runnable.secrets import Masker
from runnable.tasks import BaseTaskType, Call
from runnable.tasks.errors import StreamEndError


class Yielded:
    """Reports events of a generator, and keeps the one that ends it.

    An event is a mapping with a `type`; anything else that is yielded is of no interest
    to anybody else.

    Args:
        path: The path of the step.
        masker: Hides secrets in events.
        tell: Called with each event; may ask for a pause.
    """

    def __init__(
        self,
        path: str,
        masker: Masker,
        tell: Callable[[TaskEvent], Pause | None],
    ) -> None:
        self._path = path
        self._masker = masker
        self._tell = tell
        self._end_type = ""
        self._begun = False
        self._closed = False
        self._end: Mapping[str, object] | None = None

    def watch(self, call: Call) -> Call:
        """Return the call, so that what it yields comes here."""
        self._end_type = call.stream_end_type
        function, args, kwargs, _, end_type, abandoned, stop, given = call
        # `_replace` takes three times as long.
        return Call(function, args, kwargs, self, end_type, abandoned, stop, given)

    def begin(self) -> None:
        """Take note that a generator runs."""
        self._begun = True

    def close(self) -> None:
        """Ignore later items: the attempt has ended, its thread may not have."""
        self._closed = True

    def take(self, item: object) -> Pause | None:
        """Take one item."""
        if self._closed or not isinstance(item, Mapping) or "type" not in item:
            return None
        content = cast("Mapping[str, object]", item)
        if content["type"] == self._end_type:
            self._end = content
        event = self._masker.value(dict(content))
        return self._tell(TaskEvent(self._path, cast("Mapping[str, object]", event)))

    def result(self, returned: object, task: BaseTaskType) -> object:
        """Return the result of the task.

        Args:
            returned: What its function did: the value of a generator's `return`.
            task: Declares what is returned.

        Returns:
            The value that was returned, else a tuple of the values of the last event
            that ended the stream.

        Raises:
            StreamEndError: If there is no such event, or it lacks a declared name.
        """
        if returned is not None or not task.returns or not self._begun:
            return returned
        names = [one.name for one in task.returns]
        if self._end is None:
            raise StreamEndError(task.command, self._end_type, names, None)
        values = {key: it for key, it in self._end.items() if key != "type"}
        if set(names) <= values.keys():
            return tuple(values[name] for name in names)
        if len(names) == len(values) == 1:
            return tuple(values.values())  # one of each: no order to get wrong
        raise StreamEndError(task.command, self._end_type, names, sorted(values))
