"""Previews and downloads of what a run has put into its catalog.

Only what the log of the run lists can be had: an address names a file by its key, which
is looked up there. Objects are never loaded here: a pickle may run any code.
"""

import csv
import io
import json
from collections.abc import AsyncIterator
from pathlib import PurePosixPath
from typing import Any, NamedTuple
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from runnable.datastore.run_files import RunFile
from runnable.ui.library import Library
from runnable.ui.templates import Templates

_MOST_BYTES = 200_000
_MOST_ROWS = 100
_PIECE_BYTES = 1 << 20
_IMAGES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
}
"""Of those that cannot have scripts."""
_TABLES = {".csv": ",", ".tsv": "\t"}


class Preview(NamedTuple):
    """A preview of a file."""

    kind: str
    """`image`, `table`, `text`, `object`, `binary` or `gone`."""
    text: str = ""
    rows: list[list[str]] = []
    is_cut: bool = False


class Artifacts:
    """The pages of files and objects of runs.

    Args:
        library: The runs.
        templates: Draws pages.
    """

    def __init__(self, library: Library, templates: Templates) -> None:
        self._library = library
        self._templates = templates

    async def preview(self, request: Request) -> Response:
        """Show a file, as far as that is possible."""
        run_id = request.path_params["run_id"]
        file = await run_in_threadpool(self._find, request)
        if file is None:
            return await self._templates.problem(request, _UNKNOWN, status=404)
        shown = await run_in_threadpool(preview_of, file)
        return await self._templates.page(
            request, "artifact.html", run_id=run_id, file=file, shown=shown
        )

    async def content(self, request: Request) -> Response:
        """Send a file; pictures to be shown, all others to be kept."""
        file = await run_in_threadpool(self._find, request)
        if file is None:
            return await self._templates.problem(request, _UNKNOWN, status=404)
        headers = {"Content-Security-Policy": "default-src 'none'; sandbox"}
        kind = _IMAGES.get(_suffix(file))
        if kind is None or "download" in request.query_params:
            name = quote(PurePosixPath(file.name).name, safe="")
            headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{name}"
            kind = "application/octet-stream"
        opened = file.open()
        stream = await run_in_threadpool(opened.__enter__)

        async def pieces() -> AsyncIterator[bytes]:
            try:
                while piece := await run_in_threadpool(stream.read, _PIECE_BYTES):
                    yield piece
            finally:
                await run_in_threadpool(opened.__exit__, None, None, None)

        return StreamingResponse(pieces(), media_type=kind, headers=headers)

    def _find(self, request: Request) -> RunFile | None:
        key = request.query_params.get("key", "")
        with self._library.reading(request.path_params["run_id"]) as read:
            return next((it for it in read.run_log.files() if it.key == key), None)


_UNKNOWN = "This run has no such file; its artifacts are listed in their tab."


def _suffix(file: RunFile) -> str:
    return PurePosixPath(file.name).suffix.lower() if file.kind == "file" else ""


def preview_of(file: RunFile) -> Preview:
    """Read what can be shown of a file.

    Args:
        file: Of a run.
    """
    if file.kind == "object":
        return Preview("object")
    suffix = _suffix(file)
    if suffix in _IMAGES:
        return Preview("image")
    with file.open() as opened:
        content = opened.read(_MOST_BYTES + 1)
    is_cut = len(content) > _MOST_BYTES
    text = content[:_MOST_BYTES].decode("utf-8", "replace")
    if "\0" in text:
        return Preview("binary")
    if suffix in _TABLES:
        return _table(text, _TABLES[suffix], is_cut=is_cut)
    if suffix == ".json" and not is_cut:
        text = _indented(text)
    return Preview("text", text, is_cut=is_cut)


def _table(text: str, separator: str, *, is_cut: bool) -> Preview:
    lines = csv.reader(io.StringIO(text), delimiter=separator)
    rows: list[list[str]] = []
    try:
        for row in lines:
            rows.append(row)
            if len(rows) > _MOST_ROWS:
                return Preview("table", rows=rows[:-1], is_cut=True)
    except csv.Error:
        return Preview("text", text, is_cut=is_cut)
    return Preview("table", rows=rows, is_cut=is_cut)


def _indented(text: str) -> str:
    try:
        value: Any = json.loads(text)
        return json.dumps(value, indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return text
