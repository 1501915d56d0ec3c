"""The port of runtimes: how a function is called."""

from typing import Protocol

from runnable.tasks import Call


class Runtime(Protocol):
    """How calls are made; the only code that knows about synchronous and not."""

    async def invoke(self, call: Call) -> object:
        """Make a call and wait for its result.

        Args:
            call: The call; its result may be a coroutine, which is then awaited.

        Returns:
            What the function returned.
        """
