"""Hold back signals while the end of an interrupted run is recorded."""

import asyncio
import signal
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType

_HELD_SECONDS = 5.0
_MOST_HELD = 5
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def held_signals() -> Generator[None]:
    """Ignore further Ctrl-C within a block, in the main thread of a script.

    One that comes after five seconds, or after five others, is heard: whatever the
    block waits for may never come.
    """
    if threading.current_thread() is not threading.main_thread() or _is_on_loop():
        yield
        return
    end, heard = time.monotonic() + _HELD_SECONDS, 0
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    handlers: dict[int, Callable[[int, FrameType | None], object]] = {
        int(number): handler for number, handler in before.items() if callable(handler)
    }

    def hold(number: int, frame: FrameType | None) -> None:
        nonlocal heard
        heard += 1
        if heard > _MOST_HELD or time.monotonic() > end:
            handlers[number](number, frame)

    try:
        for number in handlers:
            signal.signal(number, hold)
        yield
    finally:
        for number in handlers:
            signal.signal(number, before[signal.Signals(number)])


def _is_on_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
