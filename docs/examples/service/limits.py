"""What one client may take of the service: so many bytes, so many runs."""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

TOO_LARGE = "the request is larger than {} bytes"


class BodyLimit:
    """Refuses requests whose body is too large, before all of it has come.

    Args:
        app: The application.
        most_bytes: The most that a body may have.
    """

    def __init__(self, app: ASGIApp, most_bytes: int) -> None:
        self._app = app
        self._most = most_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        count = 0

        async def limited() -> Message:
            nonlocal count
            message = await receive()
            count += len(message.get("body", b""))
            if count > self._most:
                # The rest of it is not waited for.
                close = {"Connection": "close"}
                raise HTTPException(413, TOO_LARGE.format(self._most), close)
            return message

        await self._app(scope, limited if scope["type"] == "http" else receive, send)


class Turns:
    """Lets tenants take turns: none of them can take all places.

    Args:
        most: How many are active at once.
        most_of_one: How many of one tenant are active at once.
        most_waiting: How many of one tenant wait; more are refused with 429.
    """

    def __init__(self, most: int, most_of_one: int, most_waiting: int) -> None:
        self._most, self._most_of_one = most, most_of_one
        self._most_waiting = most_waiting
        self._active: Counter[str] = Counter()
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}

    @asynccontextmanager
    async def of(self, tenant: str) -> AsyncIterator[None]:
        """Wait for a turn of a tenant, and keep it for the length of the block."""
        await self._take(tenant)
        try:
            yield
        finally:
            self._release(tenant)

    async def _take(self, tenant: str) -> None:
        queue = self._waiting.setdefault(tenant, deque())
        if len(queue) >= self._most_waiting:
            busy = f"{len(queue)} requests of {tenant!r} are waiting"
            raise HTTPException(429, busy, {"Retry-After": "1"})
        turn = asyncio.get_running_loop().create_future()
        queue.append(turn)
        self._let_in()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._release(tenant)
            elif turn in queue:
                queue.remove(turn)
            raise

    def _release(self, tenant: str) -> None:
        self._active[tenant] -= 1
        self._let_in()

    def _let_in(self) -> None:
        """Let the next ones in: of the tenant first that has the fewest."""
        while self._active.total() < self._most:
            ready = [
                name
                for name, queue in self._waiting.items()
                if queue and self._active[name] < self._most_of_one
            ]
            if not ready:
                return
            tenant = min(ready, key=self._active.__getitem__)
            turn = self._waiting[tenant].popleft()
            if not turn.done():
                self._active[tenant] += 1
                turn.set_result(None)
