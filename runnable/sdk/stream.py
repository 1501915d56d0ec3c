"""Hand on the events of a run to an asynchronous loop that consumes them."""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Coroutine, Generator
from typing import Any

from runnable.datastore import RunLog
from runnable.events import Event, Pause, TaskEvent
from runnable.events.schema import described

_MOST_WAITING = 1000
_PIECE_SECONDS = 0.005


class EventStream:
    """A subscriber that is iterated; made and consumed on one event loop.

    When a thousand events wait for the consumer, tasks that yield more are held up.

    Args:
        lifecycle: Whether records and warnings are of interest, too.
    """

    def __init__(self, *, lifecycle: bool) -> None:
        self._lifecycle = lifecycle
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[dict[str, object] | None] = asyncio.Queue()
        self._told = 0
        self._taken = 0
        self._over = False

    def __call__(self, event: Event) -> Pause | None:
        """Take an event, in whatever thread it happens; ask for a pause if need be."""
        if isinstance(event, TaskEvent):
            self._put(dict(event.event))
        elif self._lifecycle:
            self._put(described(event))
        self._told += 1
        return self if self._told - self._taken >= _MOST_WAITING else None

    def wait(self) -> None:
        """Wait in a thread until the consumer has taken some."""
        # In short pieces, so that a call that is to end can be ended here.
        while self._told - self._taken >= _MOST_WAITING and not self._over:
            time.sleep(_PIECE_SECONDS)

    def __await__(self) -> Generator[object, None, None]:
        """Wait on an event loop until the consumer has taken some."""
        while self._told - self._taken >= _MOST_WAITING and not self._over:
            yield from asyncio.sleep(_PIECE_SECONDS).__await__()

    def _put(self, event: dict[str, object] | None) -> None:
        try:
            here = asyncio.get_running_loop() is self._loop
        except RuntimeError:
            here = False
        if here:
            self._queue.put_nowait(event)
        else:
            with contextlib.suppress(RuntimeError):  # it is closed: nobody consumes
                self._loop.call_soon_threadsafe(self._queue.put_nowait, event)

    async def events_of(
        self, running: Coroutine[Any, Any, RunLog]
    ) -> AsyncGenerator[dict[str, object]]:
        """Run a pipeline whose events go to this stream, and yield them.

        Args:
            running: Is cancelled when its events are not consumed any more.

        Yields:
            The events, until it has ended.

        Raises:
            ExecutionFailedError: If it failed.
        """
        # A task of its own, so that the run is current there and not for the consumer.
        task = asyncio.create_task(running)
        # Queued behind the events that threads sent before the run ended.
        task.add_done_callback(lambda _: self._loop.call_soon(self._put, None))
        try:
            while (event := await self._queue.get()) is not None:
                self._taken += 1
                yield event
        finally:
            self._over = True
            task.cancel()
            await asyncio.wait({task})
            if not task.cancelled():
                task.exception()  # marks it as retrieved; it is in the run log
        task.result()
