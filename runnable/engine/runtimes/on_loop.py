"""Call functions from an event loop: for asynchronous runs."""

import asyncio
import inspect

from runnable.tasks import Call


class LoopRuntime:
    """Awaits coroutine functions; calls others in a thread, so the loop goes on."""

    async def invoke(self, call: Call) -> object:
        """Await the function, or call it in a thread."""
        if inspect.iscoroutinefunction(call.function):
            return await call.function(*call.args, **call.kwargs)
        result = await asyncio.to_thread(call.function, *call.args, **call.kwargs)
        return await result if inspect.iscoroutine(result) else result
