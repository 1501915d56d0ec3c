"""Timeline of a run: which steps ran when, attempt by attempt, as rows of a tree."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import NamedTuple, TypeVar

from runnable import defaults
from runnable.datastore import BranchLog, RunLog, StepAttempt, StepLog
from runnable.datastore.log_entries import BranchEntry, StepEntry
from runnable.datastore.outlines import branches_of, entries_of, steps_of
from runnable.graph import TERMINAL_NAMES
from runnable.report.provenance import cached_from, provenance
from runnable.report.step_details import details_of, short_text
from runnable.report.time_scale import TimeScale, duration_text
from runnable.system.moments import local_text, moment_of

Step = TypeVar("Step", StepLog, StepEntry)
_WIDTH = 40
_MOST_BRANCHES = 20
"""Of more, those that failed are shown, and some others; the rest is counted."""
_OTHERS = 3
_UNHEALTHY = {defaults.FAIL, defaults.CANCELLED}


class Span(NamedTuple):
    """One attempt of a step, in seconds after the run began."""

    number: int
    status: str
    starts: float
    seconds: float


class Bar(NamedTuple):
    """One step, one branch with several steps, or many branches that are counted."""

    path: str
    name: str
    """With the name of its branch, if it is the only step there."""
    depth: int
    """The number of rows that contain it."""
    kind: str
    status: str
    starts: float
    """Seconds after the run began."""
    seconds: float
    """From its start to its end, waiting included."""
    began: str
    """Local time; empty for a step that never began."""
    spans: Sequence[Span] = ()
    """Its attempts; none for what consists of other rows."""
    message: str = ""
    traceback: str = ""
    details: Mapping[str, Mapping[str, str]] = MappingProxyType({})
    """Inputs, outputs, metrics and files, as text."""
    cached: str = ""
    """The run whose result it has reused; empty if it has run."""
    inside: Sequence["Bar"] = ()

    @property
    def attempts(self) -> int:
        """How many attempts it had."""
        return len(self.spans)

    @property
    def worked(self) -> float:
        """How many seconds its attempts took; of what has none, from start to end."""
        return sum(it.seconds for it in self.spans) if self.spans else self.seconds

    @property
    def took(self) -> str:
        """How long it worked, as people read it."""
        return duration_text(self.worked)

    def all(self) -> "Iterator[Bar]":
        """Yield it, and what is inside."""
        yield self
        for bar in self.inside:
            yield from bar.all()


class Timeline(NamedTuple):
    """The steps of a run, in the order of their definition."""

    run_id: str
    status: str
    tag: str
    pipeline: str
    began: str
    seconds: float
    rows: Sequence[Bar]
    """The outermost ones."""
    scale: TimeScale
    ran_with: Mapping[str, str]
    """The commit, Python and the machine, as far as they were recorded."""
    statuses: Mapping[str, int]
    """Of the steps that have run, how many have which status."""
    run_log: RunLog

    @property
    def bars(self) -> Sequence[Bar]:
        """All rows, each before what is inside."""
        return [bar for row in self.rows for bar in row.all()]


def timeline(run_log: RunLog) -> Timeline:
    """Lay out the steps of a run on one scale.

    Args:
        run_log: The log of a run of a pipeline or a job.

    Returns:
        A row for each step, those in branches inside of the step they belong to; the
        ends of graphs are left out.

    Example:
        >>> timeline(RunLog(run_id="r1", status="SUCCESS")).bars
        []
    """
    steps = _without_ends(run_log.steps.values())
    if run_log.job is not None:
        steps.insert(0, _step_of(run_log))
    extents = _Extents()
    has_job = run_log.job is not None
    logs = {it.internal_name: it for it in steps} if has_job else run_log.steps
    entries = _without_ends(entries_of(logs))
    whole = _around(it for entry in entries if (it := extents.of_step(entry)))
    began, ended = whole or (None, None)
    rows = _Rows(began, extents)
    drawn = [rows.of_step(step, "", 0) for step in steps]
    dag = run_log.run_config.get("dag")
    return Timeline(
        run_log.run_id,
        run_log.status,
        run_log.tag,
        str(dag.get("name") or "") if isinstance(dag, Mapping) else "",
        _shown_time(began),
        (ended - began).total_seconds() if began and ended else 0.0,
        drawn,
        TimeScale(rows.busy),
        provenance(run_log),
        extents.statuses,
        run_log,
    )


def _step_of(run_log: RunLog) -> StepLog:
    job = run_log.job
    assert job is not None  # noqa: S101 - the caller has looked
    return StepLog(
        name="job",
        internal_name="job",
        step_type="job",
        status=job.status,
        message=job.message,
        attempts=job.attempts,
        data_catalog=job.data_catalog,
    )


_Extent = tuple[datetime, datetime]


class _Extents:
    """Finds the first and the last moment of steps and branches, each of them once."""

    def __init__(self) -> None:
        self._known: dict[str, _Extent | None] = {}
        self.statuses: Counter[str] = Counter()
        """Of the steps that have run, how many have which status."""
        self.of_branches: dict[str, list[tuple[str, str]]] = {}
        """The names and the statuses of the branches of a step, by its path."""

    def of_step(self, step: StepEntry) -> _Extent | None:
        """Find the extent of a step, and of all that is in it."""
        if step.attempts:
            self.statuses[step.status] += 1
        moments = [
            moment_of(text)
            for attempt in step.attempts
            for text in (attempt.start, attempt.end)
            if text
        ]
        statuses = self.of_branches[step.path] = []
        for branch in branches_of(step):
            statuses.append((branch.path, branch.status))
            moments += self._of_branch(branch) or ()
        found = (min(moments), max(moments)) if moments else None
        self._known[step.path] = found
        return found

    def _of_branch(self, branch: BranchEntry) -> _Extent | None:
        found = [self.of_step(step) for step in _without_ends(steps_of(branch))]
        self._known[branch.path] = around = _around(it for it in found if it)
        return around

    def known(self, path: str) -> _Extent | None:
        """Return the extent of a step or a branch that was looked at."""
        return self._known[path]


def _without_ends(steps: Iterable[Step]) -> list[Step]:
    """Leave out the ends of graphs, which are there for programs."""
    return [step for step in steps if step.step_type not in TERMINAL_NAMES]


def _around(extents: Iterable[_Extent]) -> _Extent | None:
    found = list(extents)
    return (min(it[0] for it in found), max(it[1] for it in found)) if found else None


class _Rows:
    """Makes rows, on the scale of a run.

    Args:
        began: When the run began; None if it never did.
        extents: Those of all steps.
    """

    def __init__(self, began: datetime | None, extents: _Extents) -> None:
        self._began = began
        self._extents = extents
        self.busy: list[tuple[float, float]] = []
        """When something ran, in seconds after that."""

    def of_step(self, step: StepLog, branch: str, depth: int) -> Bar:
        """Make the row of a step.

        Args:
            step: The step.
            branch: The name of its branch, if it is the only step there.
            depth: The number of rows around it.
        """
        spans = [it for it in map(self._span, step.attempts) if it is not None]
        self.busy += [(it.starts, it.starts + it.seconds) for it in spans]
        inside = self._branches(step, depth + 1)
        last = step.attempts[-1] if step.attempts else None
        return Bar(
            step.internal_name,
            f"{branch}: {step.name}" if branch else step.name,
            depth,
            step.step_type,
            step.status,
            *self._place(self._extents.known(step.internal_name)),
            spans=spans,
            message=last.message if last is not None else step.message,
            traceback=last.traceback if last is not None else step.traceback,
            details=details_of(step),
            cached=cached_from(step),
            inside=inside,
        )

    def _place(self, extent: _Extent | None) -> tuple[float, float, str]:
        """Return when something began, how long it took, and the time at its start."""
        first, last = extent or (self._began, self._began)
        begins = self._after(first)
        return begins, self._after(last) - begins, _shown_time(first)

    def _after(self, moment: datetime | None) -> float:
        if moment is None or self._began is None:
            return 0.0
        return (moment - self._began).total_seconds()

    def _span(self, attempt: StepAttempt) -> Span | None:
        if not attempt.start_time:
            return None
        starts = self._after(moment_of(attempt.start_time))
        end = attempt.end_time
        seconds = self._after(moment_of(end)) - starts if end else 0.0
        return Span(attempt.attempt_number, attempt.status, starts, max(seconds, 0.0))

    def _branches(self, step: StepLog, depth: int) -> list[Bar]:
        if len(step.branches) <= _MOST_BRANCHES:
            return [self._branch(it, depth) for it in step.branches.values()]
        statuses = dict(self._extents.of_branches[step.internal_name])
        bad = [name for name, status in statuses.items() if status in _UNHEALTHY]
        bad.sort(key=lambda name: statuses[name] != defaults.FAIL)
        good = [name for name in statuses if statuses[name] not in _UNHEALTHY]
        shown = [*bad[:_MOST_BRANCHES], *good[:_OTHERS]]
        rows = [self._branch(step.branches[name], depth) for name in shown]
        rest = {name: it for name, it in statuses.items() if name not in set(shown)}
        return [*rows, self._counted(step, rest, depth)]

    def _branch(self, branch: BranchLog, depth: int) -> Bar:
        name = branch.internal_name.rpartition(".")[2]
        steps = _without_ends(branch.steps.values())
        if len(steps) == 1:
            return self.of_step(steps[0], name, depth)
        inside = [self.of_step(it, "", depth + 1) for it in steps]
        place = self._place(self._extents.known(branch.internal_name))
        path, status = branch.internal_name, branch.status
        return Bar(path, name, depth, "branch", status, *place, inside=inside)

    def _counted(self, step: StepLog, rest: Mapping[str, str], depth: int) -> Bar:
        extents = [it for path in rest if (it := self._extents.known(path))]
        self.busy += [(self._after(begin), self._after(end)) for begin, end in extents]
        counts = Counter(rest.values())
        text = ", ".join(f"{number:,} {status}" for status, number in counts.items())
        name, path = f"{len(rest):,} more: {text}", f"{step.internal_name}.*"
        status = defaults.FAIL if defaults.FAIL in counts else next(iter(counts), "")
        place = self._place(_around(extents))
        return Bar(path, name, depth, "branches", status, *place)


def _shown_time(moment: datetime | None) -> str:
    return local_text(moment.isoformat()) if moment is not None else ""


def as_text(drawn: Timeline) -> str:
    """Draw a timeline for a terminal.

    Args:
        drawn: The timeline.

    Returns:
        A title, what it ran with, and a line for each row.

    Example:
        >>> print(as_text(timeline(RunLog(run_id="r1", status="SUCCESS"))))
        r1: SUCCESS, 0 s
    """
    name = f" ({drawn.pipeline})" if drawn.pipeline else ""
    title = f"{drawn.run_id}{name}: {drawn.status}, {duration_text(drawn.seconds)}"
    bars = drawn.bars
    labels = [f"{'  ' * bar.depth}{bar.name}" for bar in bars]
    width = max(map(len, labels), default=0)
    lines = [title, *(f"{name} {text}" for name, text in drawn.ran_with.items())]
    for bar, label in zip(bars, labels, strict=True):
        tries = f"  {bar.attempts} attempts" if bar.attempts > 1 else ""
        tries += f"  cached, from {bar.cached}" if bar.cached else ""
        picture = _picture(bar, drawn.scale)
        lines.append(f"{label:{width}}  {picture}  {bar.status:8} {bar.took}{tries}")
        if bar.message and bar.status == defaults.FAIL:
            lines.append(f"{' ' * width}  {short_text(bar.message)}")
    pauses = [duration_text(it.ends - it.starts) for it in drawn.scale.pauses]
    if pauses:
        lines.append(f"drawn shorter: pauses of {', '.join(pauses)}")
    return "\n".join(lines)


def _picture(bar: Bar, scale: TimeScale) -> str:
    cells = [" "] * _WIDTH
    whole = (bar.starts, bar.seconds, "─" if bar.spans else "█")
    for starts, seconds, sign in (
        whole,
        *((span.starts, span.seconds, "█") for span in bar.spans),
    ):
        first = min(_WIDTH - 1, int(scale.left(starts) * _WIDTH))
        last = min(_WIDTH, round(scale.left(starts + seconds) * _WIDTH))
        for cell in range(first, max(last, first + 1)):
            cells[cell] = sign
    return "".join(cells)
