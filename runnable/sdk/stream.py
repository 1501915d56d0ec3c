"""Hand on the events of a run to an asynchronous loop that consumes them."""

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from typing import Any

from runnable.datastore import RunLog
from runnable.datastore.records import as_json
from runnable.events import Event, TaskEvent, Warned


class EventStream:
    """A subscriber that is iterated; made and consumed on one event loop.

    Args:
        lifecycle: Whether records and warnings are of interest, too.
    """

    def __init__(self, *, lifecycle: bool) -> None:
        self._lifecycle = lifecycle
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[dict[str, object] | None] = asyncio.Queue()

    def __call__(self, event: Event) -> None:
        """Take an event, in whatever thread it happens."""
        if isinstance(event, TaskEvent):
            self._put(dict(event.event))
        elif self._lifecycle:
            self._put(_described(event))

    def _put(self, event: dict[str, object] | None) -> None:
        try:
            here = asyncio.get_running_loop() is self._loop
        except RuntimeError:
            here = False
        if here:
            self._queue.put_nowait(event)
        else:
            self._loop.call_soon_threadsafe(self._queue.put_nowait, event)

    async def events_of(
        self, running: Coroutine[Any, Any, RunLog]
    ) -> AsyncGenerator[dict[str, object]]:
        """Run something that tells this stream its events, and yield them.

        Args:
            running: Is cancelled when nobody consumes the events any more.

        Yields:
            The events, until it has ended.

        Raises:
            ExecutionFailedError: If it failed.
        """
        # A task of its own, so that the run is current there and not for the consumer.
        task = asyncio.create_task(running)
        # Behind whatever threads have told before the run ended.
        task.add_done_callback(lambda _: self._loop.call_soon(self._put, None))
        try:
            while (event := await self._queue.get()) is not None:
                yield event
        finally:
            task.cancel()
            await asyncio.wait({task})
            if not task.cancelled():
                task.exception()  # if nobody asks any more, it is in the run log
        task.result()


def _described(event: Event) -> dict[str, object]:
    if isinstance(event, Warned):
        return {"type": "warning", "path": event.path, "text": event.text}
    if isinstance(event, TaskEvent):
        return dict(event.event)
    described = as_json(event)
    return {"type": described.pop("kind"), **described}
