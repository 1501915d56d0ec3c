"""What the generator of a task yields: events, and the end that has its results."""

import inspect
from collections.abc import Callable, Mapping

from runnable.events import TaskEvent
from runnable.exceptions import StreamEndError
from runnable.tasks import BaseTaskType, Call


class Yielded:
    """Tells events of a generator, and remembers the one that ends it.

    An event is a mapping with a `type`; anything else that is yielded is of no interest
    to anybody else.

    Args:
        path: The path of the step.
        tell: Called with each event.
    """

    def __init__(self, path: str, tell: Callable[[TaskEvent], object]) -> None:
        self._path = path
        self._tell = tell
        self._end_type = ""
        self._end: Mapping[str, object] | None = None

    def watch(self, call: Call) -> Call:
        """Return the call, so that what it yields comes here."""
        self._end_type = call.stream_end_type
        return call._replace(on_item=self)

    def __call__(self, item: object) -> None:
        """Take one item."""
        if isinstance(item, Mapping) and "type" in item:
            if item["type"] == self._end_type:
                self._end = item
            self._tell(TaskEvent(self._path, dict(item)))

    def result(self, returned: object, task: BaseTaskType, call: Call) -> object:
        """Say what the task returned.

        Args:
            returned: What its function did: the value of a generator's `return`.
            task: Declares what is returned.
            call: The call that was made.

        Returns:
            The value that was returned, else a tuple of the values of the last event
            that ended the stream.

        Raises:
            StreamEndError: If there is no such event, or it lacks a declared name.
        """
        if returned is not None or not task.returns or not _yields(call):
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


def _yields(call: Call) -> bool:
    function = call.function
    return inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function)
