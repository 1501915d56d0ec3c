"""Pages that list runs: all of them, those of a pipeline, and some to be compared."""

import json
from collections.abc import Mapping, Sequence
from functools import partial
from urllib.parse import urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from runnable.datastore import RunLog, RunSummary
from runnable.datastore.outlines import all_entries, entries_of
from runnable.datastore.run_summary import STATUSES
from runnable.report.comparison import facts_of, rows_that_differ
from runnable.system.moments import moment_of
from runnable.ui.index import Found, Query, QueryError
from runnable.ui.library import Library
from runnable.ui.run_view import seconds_of, took
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
        return self._templates.page(
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
        return self._templates.page(request, "pipelines.html", rows=rows)

    async def pipeline(self, request: Request) -> Response:
        """Show how the runs of one pipeline developed."""
        name = request.query_params.get("name", "")
        query = Query(pipeline=name, limit=_TREND)
        found = await run_in_threadpool(self._library.index.find, query)
        runs = [it for it in found.runs if it.pipeline == name]
        rows = await run_in_threadpool(self._library.index.pipelines)
        steps = await run_in_threadpool(self._slowest, runs)
        return self._templates.page(
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
            run_log = self._library.run_log(run.run_id)
            for step in all_entries(entries_of(run_log.steps)):
                # The steps of all branches of a map are one.
                name = ".".join(step.path.split(".")[::2])
                worked = sum(filter(None, map(seconds_of, step.attempts)))
                if step.attempts and step.step_type not in {"success", "fail"}:
                    seconds.setdefault(name, []).append(worked)
        rows = [(name, sum(it) / len(it), len(it)) for name, it in seconds.items()]
        return sorted(rows, key=lambda row: row[1], reverse=True)[:10]

    async def compare(self, request: Request) -> Response:
        """Show what differs between some runs."""
        run_ids = list(dict.fromkeys(request.query_params.getlist("run")))
        if not 1 < len(run_ids) <= _MOST_COMPARED:
            why = f"Choose 2 to {_MOST_COMPARED} runs to compare."
            return self._templates.problem(request, why, status=400)

        def read() -> tuple[list[RunLog], list[tuple[str, list[object]]]]:
            found = [self._library.run_log(run_id) for run_id in run_ids]
            return found, rows_that_differ([facts_of(it) for it in found])

        run_logs, rows = await run_in_threadpool(read)
        return self._templates.page(
            request,
            "compare.html",
            run_logs=run_logs,
            rows=rows,
            charts=_metric_charts(run_logs),
        )


def _query(request: Request) -> tuple[Query, int]:
    given = request.query_params
    text = given.get("page", "1")
    page = min(max(1, int(text)), 100_000) if text.isdecimal() else 1
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


def _trend(runs: Sequence[RunSummary]) -> str:
    """Return the durations of runs over time, for a chart."""
    shown = [it for it in reversed(runs) if it.started and it.ended_at]
    times, seconds = list[float](), list[float]()
    for run in shown:
        began = moment_of(run.started_at)
        times.append(began.timestamp())
        seconds.append((moment_of(run.ended_at) - began).total_seconds())
    return json.dumps({"x": times, "y": seconds, "label": "seconds", "is_time": True})


def _metric_charts(run_logs: Sequence[RunLog]) -> list[tuple[str, str]]:
    """Return a chart for each metric that is a number and differs."""
    metrics = [run_log.metrics() for run_log in run_logs]
    charts: list[tuple[str, str]] = []
    for name in dict.fromkeys(name for it in metrics for name in it):
        values = [_number(it, name) for it in metrics]
        if len(set(values)) > 1:
            names = [it.run_id for it in run_logs]
            x = list(range(1, len(values) + 1))
            chart = {"x": x, "y": values, "label": name, "names": names}
            charts.append((name, json.dumps(chart)))
    return charts


def _number(metrics: Mapping[str, object], name: str) -> float | None:
    value = metrics.get(name)
    if isinstance(value, int | float) and abs(value) < float("inf"):
        return float(value)
    return None
