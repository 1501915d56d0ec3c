"""An index of all runs, to search and sort them by.

Theory of operation. The index is a SQLite database in a temporary file: a hundred
thousand runs need no memory. A thread brings it up to date when somebody looks at it;
meanwhile, pages show what is there, and how much is missing. A run that has succeeded
stays as it is; others may be resumed, and those that a page shows are read again.
"""

import json
import logging
import math
import re
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import NamedTuple

from pydantic import JsonValue

from runnable import defaults
from runnable.datastore import BaseRunLogStore, RunSummary
from runnable.datastore.run_summary import CRASHED, DAMAGED
from runnable.system.moments import aware, moment_of

logger = logging.getLogger(__name__)
_REFRESH_SECONDS = 2.0
_AT_ONCE = 200
_WAIT_SECONDS = 0.5
_CHECKED_AT_ONCE = 200
_RESUMABLE = {defaults.FAIL, defaults.CANCELLED, CRASHED, DAMAGED}
_METRIC = re.compile(r"^(?P<name>.+?)\s*(?P<sign><=|>=|=|<|>)\s*(?P<value>[-+.\deE]+)$")
_COLUMNS = ("run_id", "status", "pipeline", "tag", "started", "seconds")
SORTS = ("started", "seconds", "pipeline", "status", "run_id", "tag")
"""Columns that runs can be sorted by, beside metrics."""


class Query(NamedTuple):
    """Which runs are wanted, and in which order."""

    text: str = ""
    """In the id, the tag or the name of the pipeline."""
    status: str = ""
    pipeline: str = ""
    tag: str = ""
    since: str = ""
    """Began then or later; a date, or a date and a time."""
    until: str = ""
    metric: str = ""
    """Such as `score > 0.9`; or a name, of those that have the metric."""
    sort: str = "started"
    """A column, or `metric:` and a name."""
    is_ascending: bool = False
    offset: int = 0
    limit: int = 50


class Found(NamedTuple):
    """The runs of one page."""

    runs: Sequence[RunSummary]
    total: int
    """How many there are on all pages."""
    missing: int | None
    """How many runs have not been read yet; None if that is not known yet."""


class PipelineRow(NamedTuple):
    """All runs of one pipeline, in numbers."""

    name: str
    runs: int
    succeeded: int
    failed: int
    seconds: float
    """How long a run takes that succeeds, on average."""
    latest: str
    """When the last one began."""

    @property
    def success_rate(self) -> float | None:
        """The part of runs that succeeded, of those that succeeded or failed."""
        ended = self.succeeded + self.failed
        return self.succeeded / ended if ended else None


class QueryError(ValueError):
    """A query cannot be understood."""


class RunIndex:
    """The index of one store.

    Args:
        store: Has the runs.
        with_status: Finds out whether a run that has not ended has crashed.
    """

    def __init__(
        self, store: BaseRunLogStore, with_status: Callable[[RunSummary], RunSummary]
    ) -> None:
        self._store = store
        self._with_status = with_status
        # Its pages go to a temporary file, which goes with the connection.
        self._database = sqlite3.connect("", check_same_thread=False)
        self._database.executescript(_SCHEMA)
        self._lock = threading.Lock()
        self._updating = threading.Lock()
        self._updated = 0.0
        self._missing: int | None = None
        self._checked: set[str] = set()
        """The runs that had ended and were read again, in this round."""
        self.problem = ""
        """Why the store could not be read the last time; else empty."""

    def find(self, query: Query) -> Found:
        """Find runs; those on the page are as they are now.

        Raises:
            QueryError: If the query cannot be understood.
        """
        self.update()
        condition, values = _condition(query)
        order, more = _order(query)
        page = f"SELECT * FROM runs WHERE {condition} ORDER BY {order} LIMIT ? OFFSET ?"  # noqa: S608 - of constants
        count = f"SELECT COUNT(*) FROM runs WHERE {condition}"  # noqa: S608 - of constants
        with self._lock:
            total = self._database.execute(count, values).fetchone()[0]
            arguments = [*values, *more, query.limit, query.offset]
            rows = self._database.execute(page, arguments).fetchall()
        found = [_summary(row) for row in rows]
        return Found(self._again(found), total, self._missing)

    def pipelines(self) -> list[PipelineRow]:
        """Return what there is to say of each pipeline."""
        self.update()
        with self._lock:
            rows = self._database.execute(_PIPELINES).fetchall()
        return [PipelineRow(*row) for row in rows]

    def values(self, column: str, most: int = 200) -> list[str]:
        """Return the values of `pipeline`, `tag` or `status`, for a filter."""
        assert column in _COLUMNS  # noqa: S101 - a constant of the caller
        statement = (
            f"SELECT {column} FROM runs WHERE {column} != '' GROUP BY 1 "  # noqa: S608 - a constant
            "ORDER BY COUNT(*) DESC LIMIT ?"
        )
        with self._lock:
            return [row[0] for row in self._database.execute(statement, [most])]

    def update(self) -> None:
        """Bring the index up to date; wait for it for a moment, at most."""
        if time.monotonic() - self._updated < _REFRESH_SECONDS:
            return
        if self._updating.acquire(blocking=False):
            worker = threading.Thread(target=self._update, daemon=True)
            worker.start()
            worker.join(_WAIT_SECONDS)

    def close(self) -> None:
        """Delete the database."""
        with self._lock:
            self._database.close()

    def remove(self, run_id: str) -> None:
        """Remove a run that was deleted."""
        with self._lock, self._database:
            self._database.execute("DELETE FROM runs WHERE run_id = ?", [run_id])

    def _update(self) -> None:
        try:
            self._read_all()
            self.problem = ""
        except Exception as error:
            # Pages say so, and show what is known.
            logger.exception("The index of runs could not be brought up to date")
            self.problem = f"{type(error).__name__}: {error}"
        finally:
            self._missing = 0
            self._updated = time.monotonic()
            self._updating.release()

    def _read_all(self) -> None:
        listed = set(self._store.list_run_ids())
        with self._lock:
            rows = self._database.execute("SELECT run_id, status FROM runs")
            known: dict[str, str] = dict(rows.fetchall())
        for run_id in known.keys() - listed:
            self.remove(run_id)
        # New ones, and those that were active.
        changing = {defaults.PROCESSING, defaults.CREATED}
        wanted = [it for it in listed if known.get(it, "PROCESSING") in changing]
        if len(wanted) > _AT_ONCE:
            wanted = self._store.latest_first(wanted)
        # Some of those that may be resumed, each time others.
        ended = {it for it, status in known.items() if status in _RESUMABLE} & listed
        left = sorted(ended - self._checked) or sorted(ended)
        if len(left) == len(ended):
            self._checked.clear()
        self._checked.update(left[:_CHECKED_AT_ONCE])
        wanted += left[:_CHECKED_AT_ONCE]
        self._missing = len(listed - known.keys())
        read = iter(self._store.summaries(wanted))
        for first in range(0, len(wanted), _AT_ONCE):
            self._take(islice(read, _AT_ONCE))
            self._missing = max(0, len(wanted) - first - _AT_ONCE)

    def _take(self, read: Iterable[RunSummary | None]) -> list[RunSummary]:
        found = [self._with_status(it) for it in read if it is not None]
        with self._lock, self._database:
            self._database.executemany(_INSERT, map(_row, found))
        return found

    def _again(self, runs: Sequence[RunSummary]) -> list[RunSummary]:
        """Read those again that may have changed since."""
        is_quick = bool(getattr(self._store, "is_local", False))
        changed = [
            it.run_id for it in runs if is_quick or it.status != defaults.SUCCESS
        ]
        fresh = {it.run_id: it for it in self._take(self._store.summaries(changed))}
        gone = set(changed) - fresh.keys()
        return [fresh.get(it.run_id, it) for it in runs if it.run_id not in gone]


_SCHEMA = """
CREATE TABLE runs (run_id TEXT PRIMARY KEY, status TEXT, pipeline TEXT, tag TEXT,
                   started REAL, seconds REAL, started_at TEXT, ended_at TEXT,
                   problem TEXT, metrics TEXT) WITHOUT ROWID;
CREATE INDEX by_started ON runs (started);
CREATE INDEX by_pipeline ON runs (pipeline, started);
CREATE INDEX by_status ON runs (status, started);
"""
_INSERT = "INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_PIPELINES = """
SELECT pipeline, COUNT(*), SUM(status = 'SUCCESS'), SUM(status = 'FAIL'),
       COALESCE(AVG(CASE WHEN status = 'SUCCESS' THEN seconds END), 0),
       MAX(started_at)
FROM runs GROUP BY pipeline ORDER BY MAX(started) DESC
"""


def _row(run: RunSummary) -> tuple[object, ...]:
    started = run.started.timestamp() if run.started else None
    ended = moment_of(run.ended_at).timestamp() if run.ended_at else None
    seconds = ended - started if ended and started else None
    metrics = "{}"
    if run.metrics:
        # JSON knows no NaN.
        finite = {
            name: None if isinstance(it, float) and not math.isfinite(it) else it
            for name, it in run.metrics.items()
        }
        metrics = json.dumps(finite)
    return (
        *(run.run_id, run.status, _storable(run.pipeline), _storable(run.labels)),
        *(started, seconds, run.started_at, run.ended_at, _storable(run.problem)),
        metrics,
    )


def _storable(text: str) -> str:
    """Return a text without halves of characters, which SQLite refuses."""
    return text.encode("utf-8", "backslashreplace").decode()


def _summary(row: tuple[str, ...]) -> RunSummary:
    run_id, status, pipeline, tag, _, _, started_at, ended_at, problem, metrics = row
    kept: dict[str, JsonValue] = json.loads(metrics)
    return RunSummary(
        run_id, status, tag, pipeline, started_at, ended_at, problem, kept
    )


def _condition(query: Query) -> tuple[str, list[object]]:
    """Return the condition of SQL, and its values."""
    parts, values = ["1"], list[object]()
    for column in ("status", "pipeline", "tag"):
        if wanted := getattr(query, column):
            parts.append(f"{column} = ?")
            values.append(wanted)
    if query.text:
        parts.append(
            "(run_id LIKE ? ESCAPE '\\' OR tag LIKE ? ESCAPE '\\' "
            "OR pipeline LIKE ? ESCAPE '\\')"
        )
        escaped = re.sub(r"([\\%_])", r"\\\1", query.text)
        values += 3 * [f"%{escaped}%"]
    if query.since:
        parts.append("started >= ?")
        values.append(_moment(query.since).timestamp())
    if query.until:
        until = _moment(query.until)
        # A date without a time is the whole day.
        is_date = len(query.until) == len("2026-01-31")
        parts.append("started < ?" if is_date else "started <= ?")
        values.append((until + timedelta(days=1) if is_date else until).timestamp())
    if query.metric:
        condition, found = _metric_condition(query.metric)
        parts.append(condition)
        values += found
    return " AND ".join(parts), values


def _metric_condition(text: str) -> tuple[str, list[object]]:
    match = _METRIC.match(text.strip())
    if match is None:
        return "json_extract(metrics, ?) IS NOT NULL", [_path(text.strip())]
    try:
        number = float(match["value"])
    except ValueError:
        raise QueryError(f"{match['value']!r} in {text!r} is no number") from None
    sign = match["sign"]
    path = _path(match["name"])
    is_number = "json_type(metrics, ?) IN ('integer', 'real')"
    condition = f"({is_number} AND json_extract(metrics, ?) {sign} ?)"
    return condition, [path, path, number]


def _path(name: str) -> str:
    """Return the JSON path of a metric."""
    if '"' in name or not name.isprintable():
        raise QueryError(f"{name!r}: a metric of this name cannot be searched for")
    return f'$."{name}"'


def _order(query: Query) -> tuple[str, list[object]]:
    direction = "ASC" if query.is_ascending else "DESC"
    kind, _, metric = query.sort.partition(":")
    if kind == "metric" and metric:
        return f"json_extract(metrics, ?) {direction} NULLS LAST", [_path(metric)]
    if query.sort not in SORTS:
        raise QueryError(f"runs cannot be sorted by {query.sort!r}")
    return f"{query.sort} {direction} NULLS LAST, run_id", []


def _moment(text: str) -> datetime:
    try:
        return aware(datetime.fromisoformat(text))
    except ValueError:
        raise QueryError(f"{text!r} is no date, such as 2026-01-31") from None
