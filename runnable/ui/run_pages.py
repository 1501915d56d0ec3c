"""The pages of one run, by tab."""

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from runnable import defaults
from runnable.datastore import RunLog
from runnable.report import as_page, timeline
from runnable.report.provenance import packages_of, provenance
from runnable.ui.library import Library
from runnable.ui.run_view import (
    ATTEMPTS_ON_PAGE,
    AttemptRow,
    attempts,
    flat,
    matches,
    overview,
    page_number,
    took,
)
from runnable.ui.templates import Templates

TABS = (
    "overview",
    "graph",
    "timeline",
    "logs",
    "parameters",
    "metrics",
    "artifacts",
    "attempts",
    "configuration",
)
_SOON_SECONDS = 0.4
"""How long a page waits for a run log before it is drawn without it."""
_OF_PAGE = {"tab", "fragment"}
"""Parameters of addresses that do not change what a tab shows."""
_KEPT_SECONDS = 3.0
"""How long a result is kept for a page that asks for it."""
_MOST_TEXT = 200_000
_MOST_SEARCHED = 500
_MOST_MATCHES = 200


class _TabRequest(NamedTuple):
    """The run and the parameters that a tab is drawn of."""

    run_log: RunLog
    given: Mapping[str, str]
    """The query of the address."""


class RunPages:
    """The pages of single runs.

    Args:
        library: The runs.
        templates: Draws pages.
    """

    def __init__(self, library: Library, templates: Templates) -> None:
        self._library = library
        self._templates = templates
        self._reading: dict[tuple[object, ...], asyncio.Task[dict[str, Any]]] = {}
        """Reads in progress, by page."""

    async def run(self, request: Request) -> Response:
        """Show a tab of a run."""
        run_id = request.path_params["run_id"]
        tab = request.query_params.get("tab", TABS[0])
        if tab not in TABS:
            why = f"There is no tab {tab!r}."
            return await self._templates.problem(request, why, status=404)
        values = await self._values(request, run_id, tab)
        # Afterwards: a run that is said to be active is followed from what was read.
        summary = await run_in_threadpool(self._library.summary, run_id)
        return await self._templates.page(
            request,
            f"tab_{tab}.html",
            run_id=run_id,
            run=summary,
            tab=tab,
            tabs=TABS,
            took=took(summary),
            is_read=values is not None,
            can_cancel=summary.status == defaults.PROCESSING,
            can_resume=summary.status not in {defaults.SUCCESS, defaults.PROCESSING},
            **(values or {}),
        )

    async def _values(
        self, request: Request, run_id: str, tab: str
    ) -> dict[str, Any] | None:
        """Return what a tab shows; None if it is still being read."""

        def read() -> dict[str, Any]:
            with self._library.reading(run_id) as found:
                asked = _TabRequest(found.run_log, dict(request.query_params))
                return {"seen": found.records, **_OF_TABS[tab](asked)}

        others = (it for it in request.query_params.items() if it[0] not in _OF_PAGE)
        key = run_id, tab, *sorted(others)
        reading = self._reading.pop(key, None) or asyncio.create_task(
            run_in_threadpool(read)
        )
        if "fragment" in request.query_params:
            return await reading
        # A long log may take a while: the page comes at once, and asks for it again.
        done, _ = await asyncio.wait({reading}, timeout=_SOON_SECONDS)
        if done:
            return reading.result()
        self._reading[key] = reading
        reading.add_done_callback(partial(self._keep_for_a_moment, key))
        return None

    def _keep_for_a_moment(
        self, key: tuple[object, ...], reading: "asyncio.Task[dict[str, Any]]"
    ) -> None:
        """Keep a result for the page that waits for it, which may have been left."""
        if not reading.cancelled():
            reading.exception()  # marks it as retrieved
        loop = asyncio.get_running_loop()
        loop.call_later(_KEPT_SECONDS, self._reading.pop, key, None)

    async def timeline(self, request: Request) -> Response:
        """Show the timeline of a run, a page of its own."""
        run_id = request.path_params["run_id"]

        def drawn() -> str:
            with self._library.reading(run_id) as found:
                return as_page(timeline(found.run_log))

        policy = (
            "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
            "frame-ancestors 'self'"
        )
        content = await run_in_threadpool(drawn)
        return HTMLResponse(
            content.encode("utf-8", "backslashreplace"),
            headers={"Content-Security-Policy": policy},
        )


def _overview(asked: _TabRequest) -> dict[str, Any]:
    run_log = asked.run_log
    metrics = list(run_log.metrics.items())
    return {"overview": overview(run_log), "metrics": metrics[:8]}


def _graph(asked: _TabRequest) -> dict[str, Any]:
    return {"svg": asked.run_log.to_svg()}


def _nothing(asked: _TabRequest) -> dict[str, Any]:
    del asked
    return {}


def _logs(asked: _TabRequest) -> dict[str, Any]:
    given, run_log = asked.given, asked.run_log
    rows = attempts(run_log, text=given.get("step", ""))
    found: list[tuple[AttemptRow, int, str]] = []
    if wanted := given.get("find", ""):
        found = matches(run_log, rows[:_MOST_SEARCHED], wanted, _MOST_MATCHES)
    chosen = _chosen(rows, given.get("path", ""), given.get("attempt", ""))
    text = run_log.execution_log(chosen.path, chosen.number) if chosen else ""
    from_start = given.get("from") == "start"
    cut = len(text) - _MOST_TEXT
    shown = text[:_MOST_TEXT] if from_start else text[-_MOST_TEXT:]
    return {
        "rows": rows[:ATTEMPTS_ON_PAGE],
        "more": len(rows) - ATTEMPTS_ON_PAGE,
        "chosen": chosen,
        "text": shown,
        "cut": max(cut, 0),
        "from_start": from_start,
        "found": found,
        "is_all": len(found) < _MOST_MATCHES and len(rows) <= _MOST_SEARCHED,
        "find": wanted,
        "step": given.get("step", ""),
    }


def _chosen(rows: list[AttemptRow], path: str, number: str) -> AttemptRow | None:
    """Return the attempt whose output is shown: the one asked for, or the last."""
    for row in rows:
        if row.path == path and str(row.number) == number:
            return row
    failed = [it for it in rows if it.status == defaults.FAIL]
    if failed:
        return [it for it in failed if it.path == failed[0].path][-1]
    return rows[-1] if rows else None


def _parameters(asked: _TabRequest) -> dict[str, Any]:
    parameters = asked.run_log.parameters
    return {"parameters": [(name, it, it.kind) for name, it in parameters.items()]}


def _metrics(asked: _TabRequest) -> dict[str, Any]:
    return {"metrics": list(asked.run_log.metrics.items())}


def _artifacts(asked: _TabRequest) -> dict[str, Any]:
    config = asked.run_log.run_config.get("pickler")
    pickler = config.get("service_name", "") if isinstance(config, Mapping) else ""
    return {"files": asked.run_log.files(), "pickler": pickler}


def _attempts(asked: _TabRequest) -> dict[str, Any]:
    given = asked.given
    rows = attempts(
        asked.run_log, text=given.get("step", ""), status=given.get("status", "")
    )
    page = page_number(given.get("page", ""))
    first = (page - 1) * ATTEMPTS_ON_PAGE
    return {
        "rows": rows[first : first + ATTEMPTS_ON_PAGE],
        "total": len(rows),
        "page": page,
        "pages": max(1, -(-len(rows) // ATTEMPTS_ON_PAGE)),
        "step": given.get("step", ""),
        "status_wanted": given.get("status", ""),
    }


def _configuration(asked: _TabRequest) -> dict[str, Any]:
    run_log = asked.run_log
    hidden = {"dag", "environment"}
    recorded = {k: v for k, v in run_log.run_config.items() if k not in hidden}
    return {
        "identity": list(provenance(run_log).items()),
        "settings": list(flat(recorded)),
        "packages": list(packages_of(run_log).items()),
    }


_OF_TABS: Mapping[str, Callable[[_TabRequest], dict[str, Any]]] = {
    "overview": _overview,
    "graph": _graph,
    "timeline": _nothing,
    "logs": _logs,
    "parameters": _parameters,
    "metrics": _metrics,
    "artifacts": _artifacts,
    "attempts": _attempts,
    "configuration": _configuration,
}
