"""Timeline of a run: start and duration of each step, as text and as a page."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from importlib.resources import files
from typing import NamedTuple

from runnable.datastore import AnyParameter, DataCatalog, RunLog, StepAttempt, StepLog
from runnable.graph import TERMINAL_NAMES
from runnable.report.provenance import cached_from, provenance
from runnable.system.moments import local_text, moment_of

_WIDTH = 40
_SHOWN = 200


class Bar(NamedTuple):
    """One step, on the scale of its run."""

    path: str
    name: str
    depth: int
    """The number of steps that contain it."""
    kind: str
    status: str
    starts: float
    """Seconds after the run began."""
    seconds: float
    attempts: int
    message: str
    began: str
    """Local time; empty for a step that never began."""
    details: Mapping[str, Mapping[str, str]]
    """Inputs, outputs, metrics and files, as text."""
    cached: str
    """The run whose result it has reused; empty if it has run."""


class Timeline(NamedTuple):
    """The steps of a run, in the order of their definition."""

    run_id: str
    status: str
    tag: str
    began: str
    seconds: float
    bars: Sequence[Bar]
    ran_with: Mapping[str, str]
    """The commit, Python and the machine, as far as they were recorded."""


def timeline(run_log: RunLog) -> Timeline:
    """Lay out the steps of a run on one scale.

    Args:
        run_log: The log of a run of a pipeline or a job.

    Returns:
        A bar for each step, those in branches after the step they belong to; the ends
        of graphs are left out.

    Example:
        >>> timeline(RunLog(run_id="r1", status="SUCCESS")).bars
        []
    """
    spans = list(_spans(run_log))
    moments = [moment for _, _, moments in spans for moment in moments]
    began = min(moments, default=None)
    ended = max(moments, default=None)
    seconds = (ended - began).total_seconds() if began and ended else 0.0
    return Timeline(
        run_log.run_id,
        run_log.status,
        run_log.tag,
        _shown_time(began),
        seconds,
        [_bar(step, attempts, within, began) for step, attempts, within in spans],
        provenance(run_log),
    )


_Span = tuple[StepLog, Sequence[StepAttempt], list[datetime]]


def _spans(run_log: RunLog) -> Iterator[_Span]:
    """Yield each step with its attempts, and the moments within it."""
    if run_log.job is not None:
        job = run_log.job
        step = StepLog(
            name="job",
            internal_name="job",
            step_type="job",
            status=job.status,
            message=job.message,
            data_catalog=job.data_catalog,
        )
        yield step, job.attempts, _moments(job.attempts)
    yield from _spans_in(run_log.steps)


def _spans_in(steps: Mapping[str, StepLog]) -> Iterator[_Span]:
    for step in steps.values():
        if step.step_type in TERMINAL_NAMES:
            continue
        inner = [
            span
            for branch in step.branches.values()
            for span in _spans_in(branch.steps)
        ]
        moments = _moments(step.attempts)
        for _, _, within in inner:
            moments += within
        # The first and the last are all that is asked for.
        ends = [min(moments), max(moments)] if moments else []
        yield step, step.attempts, ends
        yield from inner


def _shown_time(moment: datetime | None) -> str:
    return local_text(moment.isoformat()) if moment is not None else ""


def _moments(attempts: Sequence[StepAttempt]) -> list[datetime]:
    return [
        moment_of(text)
        for attempt in attempts
        for text in (attempt.start_time, attempt.end_time)
        if text
    ]


def _bar(
    step: StepLog,
    attempts: Sequence[StepAttempt],
    within: list[datetime],
    began: datetime | None,
) -> Bar:
    first, last = min(within, default=began), max(within, default=began)
    starts = (first - began).total_seconds() if first and began else 0.0
    seconds = (last - first).total_seconds() if last and first else 0.0
    return Bar(
        step.internal_name,
        step.name,
        step.internal_name.count(".") // 2,
        step.step_type,
        step.status,
        starts,
        seconds,
        len(attempts),
        attempts[-1].message if attempts else step.message,
        _shown_time(first),
        _details(step, attempts),
        cached_from(step),
    )


def _details(
    step: StepLog, attempts: Sequence[StepAttempt]
) -> dict[str, dict[str, str]]:
    last = attempts[-1] if attempts else None
    details = {
        "Inputs": _values(last.input_parameters if last else {}),
        "Outputs": _values(last.output_parameters if last else {}),
        "Metrics": _values(last.user_defined_metrics if last else {}),
        "Files": dict(_file(file) for file in step.data_catalog),
    }
    return {title: rows for title, rows in details.items() if rows}


def _values(parameters: Mapping[str, AnyParameter]) -> dict[str, str]:
    return {name: _short(str(it.value)) for name, it in parameters.items()}


def _file(file: DataCatalog) -> tuple[str, str]:
    return f"{file.stage} {file.name}", f"sha256 {file.data_hash}"


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def as_text(drawn: Timeline) -> str:
    """Draw a timeline for a terminal.

    Args:
        drawn: The timeline.

    Returns:
        A title, what it ran with, and a line for each step.

    Example:
        >>> print(as_text(timeline(RunLog(run_id="r1", status="SUCCESS"))))
        r1: SUCCESS, 0.00 s
    """
    title = f"{drawn.run_id}: {drawn.status}, {drawn.seconds:.2f} s"
    labels = [f"{'  ' * bar.depth}{bar.name}" for bar in drawn.bars]
    width = max(map(len, labels), default=0)
    lines = [title, *(f"{name} {text}" for name, text in drawn.ran_with.items())]
    for bar, label in zip(drawn.bars, labels, strict=True):
        tries = f"  {bar.attempts} attempts" if bar.attempts > 1 else ""
        tries += f"  cached, from {bar.cached}" if bar.cached else ""
        picture = _picture(bar, drawn.seconds)
        lines.append(
            f"{label:{width}}  {picture}  {bar.status:8} {bar.seconds:.2f} s{tries}"
        )
        if bar.message and bar.status == "FAIL":
            lines.append(f"{' ' * width}  {_short(bar.message)}")
    return "\n".join(lines)


def _picture(bar: Bar, total: float) -> str:
    scale = _WIDTH / total if total else 0
    before = min(_WIDTH - 1, int(bar.starts * scale))
    long = max(1, min(_WIDTH - before, round(bar.seconds * scale)))
    return f"{' ' * before}{'█' * long}{' ' * (_WIDTH - before - long)}"


def as_page(drawn: Timeline) -> str:
    """Draw a timeline as an HTML page that needs nothing else.

    Args:
        drawn: The timeline.

    Returns:
        The page; whatever names and values hold is shown as text.
    """
    from jinja2 import Environment  # only who wants a page pays

    template = files("runnable.report").joinpath("timeline.html").read_text("utf-8")
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    done = [bar for bar in drawn.bars if bar.attempts]
    return environment.from_string(template).render(
        run=drawn,
        marks=[drawn.seconds * mark / 10 for mark in range(11)],
        succeeded=sum(bar.status == "SUCCESS" for bar in done),
        done=done,
        slowest=max(done, key=lambda bar: bar.seconds, default=None),
    )
