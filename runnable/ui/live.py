"""Server-sent events of a run, from its journal."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from runnable import defaults
from runnable.datastore import Record
from runnable.datastore.codec import as_json
from runnable.datastore.errors import RunLogNotFoundError
from runnable.journal import RunFinished
from runnable.ui.library import Library

_LOOK_SECONDS = 0.5
_SILENT_SECONDS = 5.0
"""After how long a silent stream says that it is still there."""
_AT_ONCE = 500
_MOST_DIGITS = 12
_VALUES = ("parameters", "outputs", "files", "code", "run_config", "variables", "texts")
"""Fields that a stream leaves out: a page asks for what it shows."""


class Live:
    """The streams of runs.

    Args:
        library: The runs.
    """

    def __init__(self, library: Library) -> None:
        self._library = library

    async def events(self, request: Request) -> Response:
        """Stream the records of a run from a number on, until it has ended.

        The number of each record is the id of its event, so a browser that has lost its
        connection goes on where it was.
        """
        run_id = request.path_params["run_id"]
        given = request.headers.get("last-event-id") or request.query_params.get(
            "after", "0"
        )
        after = int(given) if given.isdecimal() and len(given) < _MOST_DIGITS else 0
        await run_in_threadpool(
            self._library.summary, run_id
        )  # raises if it is unknown
        stream = self._stream(request, run_id, after)
        return StreamingResponse(stream, media_type="text/event-stream")

    async def _stream(
        self, request: Request, run_id: str, after: int
    ) -> AsyncIterator[str]:
        yield "retry: 1000\n\n"
        # Of one that had ended before, nothing follows unless it is resumed.
        silent, is_over = 0.0, False
        while not await request.is_disconnected():
            try:
                records = await run_in_threadpool(
                    self._library.records, run_id, after, _AT_ONCE
                )
            except RunLogNotFoundError:
                yield "event: gone\ndata: {}\n\n"
                return
            for record in records:
                after += 1
                yield _event(after, record)
                is_over = isinstance(record, RunFinished)
            if not records and (is_over or await self._has_ended(run_id, silent)):
                yield f"id: {after}\nevent: over\ndata: {{}}\n\n"
                return
            if records:
                silent = 0.0
                continue
            if silent and not silent % _SILENT_SECONDS:
                yield ": still here\n\n"
            await asyncio.sleep(_LOOK_SECONDS)
            silent += _LOOK_SECONDS

    async def _has_ended(self, run_id: str, silent: float) -> bool:
        """Look whether a run that records nothing has ended, or crashed."""
        if not silent or silent % _SILENT_SECONDS:
            return False
        summary = await run_in_threadpool(self._library.summary, run_id)
        return summary.status not in {defaults.PROCESSING, defaults.CREATED}


def _event(number: int, record: Record) -> str:
    fields: dict[str, Any] = as_json(record)
    kind = fields.pop("kind")
    shown = {name: it for name, it in fields.items() if name not in _VALUES}
    return f"id: {number}\nevent: {kind}\ndata: {json.dumps(shown)}\n\n"
