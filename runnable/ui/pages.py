"""Pages that list runs: all of them, those of a pipeline, and some to be compared."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple
from urllib.parse import urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from runnable.datastore import RunLog, RunSummary
from runnable.datastore.outlines import all_entries, entries_of
from runnable.datastore.run_summary import STATUSES
from runnable.graph import TERMINAL_NAMES
from runnable.report.comparison import facts_of, rows_that_differ
from runnable.system.moments import moment_of
from runnable.ui.index import Found, Query, QueryError
from runnable.ui.library import Library
from runnable.ui.run_view import page_number, took
from runnable.ui.templates import Templates

_ON_PAGE = 50
_MOST_COMPARED = 20
_MOST_METRICS = 6
_TREND = 200
_READ_FOR_STEPS = 5


class ListPages:
    """The pages of runs and pipelines.

    Args:
        library: The runs.
        templates: Draws pages.
    """

    def __init__(self, library: Library, templates: Templates) -> None:
        self._library = library
        self._templates = templates

    async def runs(self, request: Request) -> Response:
        """List runs, as the query of the address wants them."""
        query, page = _query(request)
        problem = ""
        try:
            found = await run_in_threadpool(self._library.index.find, query)
        except QueryError as error:
            found, problem = Found([], 0, 0), str(error)
        index = self._library.index
        pipelines, tags = await run_in_threadpool(
            lambda: (index.values("pipeline"), index.values("tag"))
        )
        names = dict.fromkeys(name for run in found.runs for name in run.metrics)
        return await self._templates.page(
            request,
            "runs.html",
            found=found,
            problem=problem or index.problem,
            query=query,
            page=page,
            pages=max(1, -(-found.total // _ON_PAGE)),
            metrics=list(names)[:_MOST_METRICS],
            statuses=STATUSES,
            pipelines=pipelines,
            tags=tags,
            took=took,
            link=partial(_link, request),
        )

    async def pipelines(self, request: Request) -> Response:
        """List pipelines, with what all their runs came to."""
        rows = await run_in_threadpool(self._library.index.pipelines)
        return await self._templates.page(request, "pipelines.html", rows=rows)

    async def pipeline(self, request: Request) -> Response:
        """Show how the runs of one pipeline developed."""
        name = request.query_params.get("name", "")
        query = Query(pipeline=name, limit=_TREND)
        found = await run_in_threadpool(self._library.index.find, query)
        runs = [it for it in found.runs if it.pipeline == name]
        rows = await run_in_threadpool(self._library.index.pipelines)
        steps = await run_in_threadpool(self._slowest, runs)
        return await self._templates.page(
            request,
            "pipeline.html",
            name=name,
            runs=runs,
            row=next((it for it in rows if it.name == name), None),
            steps=steps,
            took=took,
            trend=_trend(runs),
        )

    def _slowest(self, runs: Sequence[RunSummary]) -> list[tuple[str, float, int]]:
        """Return the steps that took longest in the latest runs, on average."""
        seconds: dict[str, list[float]] = {}
        for run in [it for it in runs if it.ended_at][:_READ_FOR_STEPS]:
            with self._library.reading(run.run_id) as read:
                for name, worked in _worked(read.run_log):
                    seconds.setdefault(name, []).append(worked)
        rows = [(name, sum(it) / len(it), len(it)) for name, it in seconds.items()]
        return sorted(rows, key=lambda row: row[1], reverse=True)[:10]

    async def compare(self, request: Request) -> Response:
        """Show what differs between some runs."""
        run_ids = list(dict.fromkeys(request.query_params.getlist("run")))
        if not 1 < len(run_ids) <= _MOST_COMPARED:
            why = f"Choose 2 to {_MOST_COMPARED} runs to compare."
            return await self._templates.problem(request, why, status=400)

        def read() -> tuple[list[_Side], list[tuple[str, list[object]]]]:
            sides = [self._side(run_id) for run_id in run_ids]
            return sides, rows_that_differ([it.facts for it in sides])

        sides, rows = await run_in_threadpool(read)
        return await self._templates.page(
            request,
            "compare.html",
            sides=sides,
            rows=rows,
            charts=_metric_charts(sides),
        )

    def _side(self, run_id: str) -> "_Side":
        with self._library.reading(run_id) as read:
            run_log = read.run_log
            facts, metrics = facts_of(run_log), run_log.metrics
            return _Side(run_id, run_log.status, facts, metrics)


class _Side(NamedTuple):
    """One of several runs that are compared."""

    run_id: str
    status: str
    facts: Mapping[str, object]
    metrics: Mapping[str, object]


def _query(request: Request) -> tuple[Query, int]:
    given = request.query_params
    page = page_number(given.get("page", ""))
    query = Query(
        text=given.get("q", "").strip(),
        status=given.get("status", ""),
        pipeline=given.get("pipeline", ""),
        tag=given.get("tag", ""),
        since=given.get("since", ""),
        until=given.get("until", ""),
        metric=given.get("metric", "").strip(),
        sort=given.get("sort", "") or "started",
        is_ascending=given.get("order") == "up",
        offset=(page - 1) * _ON_PAGE,
        limit=_ON_PAGE,
    )
    return query, page


def _link(request: Request, **changed: object) -> str:
    """Return the same query with something changed."""
    given: dict[str, object] = {**dict(request.query_params), "page": "", **changed}
    return "?" + urlencode({
        name: it for name, it in given.items() if it not in ("", 1)
    })


def _worked(run_log: RunLog) -> Iterator[tuple[str, float]]:
    """Yield how long each step worked; those of all branches of a map have one name."""
    for step in all_entries(entries_of(run_log.steps)):
        if step.attempts and step.step_type not in TERMINAL_NAMES:
            name = ".".join(step.path.split(".")[::2])
            yield name, sum(it.seconds for it in step.attempts)


def _trend(runs: Sequence[RunSummary]) -> str:
    """Return the durations of runs over time, for a chart."""
    shown = [it for it in reversed(runs) if it.started and it.ended_at]
    times, seconds = list[float](), list[float]()
    for run in shown:
        began = moment_of(run.started_at)
        times.append(began.timestamp())
        seconds.append((moment_of(run.ended_at) - began).total_seconds())
    return json.dumps({"x": times, "y": seconds, "label": "seconds", "is_time": True})


def _metric_charts(sides: Sequence[_Side]) -> list[tuple[str, str]]:
    """Return a chart for each metric that is a number and differs."""
    metrics = [it.metrics for it in sides]
    charts: list[tuple[str, str]] = []
    for name in dict.fromkeys(name for it in metrics for name in it):
        values = [_number(it, name) for it in metrics]
        if len(set(values)) > 1:
            names = [it.run_id for it in sides]
            x = list(range(1, len(values) + 1))
            chart = {"x": x, "y": values, "label": name, "names": names}
            charts.append((name, json.dumps(chart)))
    return charts


def _number(metrics: Mapping[str, object], name: str) -> float | None:
    value = metrics.get(name)
    if not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None
