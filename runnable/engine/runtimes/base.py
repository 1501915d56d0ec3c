"""The port of runtimes: how functions are called, and how branches overlap."""

from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import Future
from typing import Any, Protocol, TypeVar

from runnable.tasks import Call

T = TypeVar("T")

BranchBody = Callable[[], Coroutine[Any, Any, None]]
"""Runs one branch, whose failure is reported, not raised."""

GRACE_SECONDS = 5.0
"""How long to wait for a call that was interrupted or cancelled."""


class Runtime(Protocol):
    """Makes calls; the only code that distinguishes synchronous from asynchronous."""

    async def invoke(self, call: Call, timeout_seconds: float | None = None) -> object:
        """Make a call and wait for its result.

        Args:
            call: The call; its result may be a coroutine, which is then awaited.
            timeout_seconds: How long it may take; any time if None.

        Returns:
            What the function returned.

        Raises:
            StepTimeoutError: If it took longer. It is interrupted: a coroutine is
                cancelled, in a thread an exception is raised. Code that does not
                return to Python meanwhile cannot be ended, and is left alone.
        """

    async def off_loop(self, function: Callable[[], T]) -> T:
        """Call a blocking function without blocking an event loop.

        It is not ended when the run is: half of it would be worse than waiting for it.

        Args:
            function: What is called.

        Returns:
            What it returns.
        """
        ...

    async def wait_for(self, future: Future[None]) -> None:
        """Wait until something is done.

        Args:
            future: Completed by another thread.
        """

    async def gather(self, branches: AsyncIterator[BranchBody], limit: int) -> None:
        """Run branches, as many at once as there is room for.

        Args:
            branches: Pulled one at a time, when there is room for one more.
            limit: How many are in flight at most. With 1, a branch has ended before
                the next one is pulled.

        Raises:
            BaseException: The first one that a branch raised; no further branch is
                pulled then.
        """
