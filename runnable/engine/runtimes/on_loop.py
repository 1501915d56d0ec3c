"""Call functions from an event loop: for asynchronous runs."""

import asyncio
import inspect

from runnable.engine.runtimes.results import make, wait_for
from runnable.tasks import Call


class LoopRuntime:
    """Awaits coroutine functions; calls others in a thread, so the loop goes on."""

    async def invoke(self, call: Call) -> object:
        """Await the function, or call it in a thread."""
        function = call.function
        if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(
            function
        ):
            return await wait_for(make(call))
        return await wait_for(await asyncio.to_thread(make, call))
