"""The progress of one run as rows: what a terminal or a notebook shows."""

import threading
import time
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from runnable import defaults
from runnable.context import RunContext
from runnable.events import Event
from runnable.journal import RunFinished, RunResumed, RunStarted
from runnable.progress.step_progress import StepProgress, Steps
from runnable.system.plain_text import plain

WAITING = "WAITING"
"""The status of a row of a step that has not started."""
_MOST_BRANCHES = 4
"""How many branches of a step are shown that are under way."""
_MOST_WAITING = 3
_MOST_TEXT = 200


class Row(NamedTuple):
    """One line."""

    depth: int
    status: str
    """Empty while it is running."""
    name: str
    detail: str
    seconds: float | None
    """None if it is not shown."""


class RunProgress:
    """Subscribes to a run; others ask it for rows at any time, from any thread.

    Args:
        context: Describes the run.
    """

    def __init__(self, context: RunContext) -> None:
        self._lock = threading.Lock()
        self._steps = Steps(context)
        self._context = context
        self.run_id = context.run_id
        self.status = ""
        """Empty while it is running."""
        self.began = time.time()
        self.ended = 0.0

    def __call__(self, event: Event) -> None:
        """Take note of an event."""
        with self._lock:
            match event:
                case RunStarted() | RunResumed():
                    self._steps.take_over()
                case RunFinished():
                    self.status, self.ended = event.status, time.time()
                case _:
                    self._steps.add(event)

    @property
    def title(self) -> str:
        """The name of the pipeline, if it has one, and the id of the run."""
        graph = self._context.dag
        name = graph.name if graph is not None else "job"
        return plain(f"{name} {self.run_id}" if name else self.run_id)

    @property
    def seconds(self) -> float:
        """How long it has run."""
        return (self.ended or time.time()) - self.began

    def step(self, path: str) -> StepProgress | None:
        """Return a step by its path, if it is known."""
        with self._lock:
            return self._steps.find(path)

    def rows(self, most: int) -> list[Row]:
        """Return a row for each step, and for branches that are under way.

        Args:
            most: How many rows there is room for; the first are counted if there are
                more.
        """
        with self._lock:
            steps = list(self._steps.steps.values())
            rows = [row for step in steps for row in _rows_of(step, 0)]
            waiting = list(self._steps.waiting())
        names = [plain(it) for it in waiting[:_MOST_WAITING]]
        if more := len(waiting[_MOST_WAITING:]):
            names.append(f"{more:,} more")
        rows += [Row(0, WAITING, name, "", None) for name in names]
        return _folded(rows, max(most, 1))

    def causes(self) -> list[Row]:
        """Return the steps that have failed by themselves, with what they said."""
        with self._lock:
            return list(_causes(self._steps.steps.values()))


def _rows_of(step: StepProgress, depth: int, prefix: str = "") -> Iterator[Row]:
    seconds = step.seconds(time.time()) if step.started else None
    yield Row(depth, step.status, plain(prefix + step.name), detail_of(step), seconds)
    if step.status == defaults.SUCCESS:
        return
    shown = sorted(step.branches.items(), key=lambda it: not _has_failed(it[1]))
    for name, inside in shown[: step.failed + _MOST_BRANCHES]:
        for nested in list(inside.values())[-1:]:
            yield from _rows_of(nested, depth + 1, f"{name}.")


def _has_failed(steps: dict[str, StepProgress]) -> bool:
    return any(it.status == defaults.FAIL for it in steps.values())


def detail_of(step: StepProgress) -> str:
    """Return what there is to say of a step, but for its status.

    Args:
        step: The step.
    """
    return ", ".join(_details(step))


def _details(step: StepProgress) -> Iterator[str]:
    if step.total is not None and step.kind != "conditional":
        done = step.counts[defaults.SUCCESS]
        # How often a loop runs is only known at its end.
        most = " at most" if step.kind == "loop" and not step.status else ""
        yield f"{done:,} of{most} {step.total:,}"
        if step.running and not step.status:
            yield f"{step.running:,} running"
        if failed := step.counts[defaults.FAIL]:
            yield f"{failed:,} failed"
    if step.attempt > 1:
        yield f"attempt {step.attempt}"
    if step.is_cached:
        yield "cached"
    if step.status == defaults.SUCCESS and not step.started:
        yield "before"
    # Otherwise, its branches say why.
    is_own = step.status == defaults.FAIL and not step.counts[defaults.FAIL]
    if step.message and is_own:
        yield first_line(step.message)


def first_line(message: str) -> str:
    """Return the beginning of a message, safe to be shown.

    Args:
        message: May have many lines.
    """
    line = plain(message.strip().partition("\n")[0])
    return line if len(line) <= _MOST_TEXT else f"{line[:_MOST_TEXT]}..."


def _causes(steps: Iterable[StepProgress], prefix: str = "") -> Iterator[Row]:
    for step in steps:
        if step.status != defaults.FAIL:
            continue
        inside = [
            row
            for branch, nested in step.branches.items()
            for row in _causes(nested.values(), f"{prefix}{step.name}.{branch}.")
        ]
        name = plain(prefix + step.name)
        yield from inside or [Row(0, step.status, name, first_line(step.message), None)]


def _folded(rows: list[Row], most: int) -> list[Row]:
    """Leave out rows of what has succeeded, the first ones first, and count them."""
    over = len(rows) - most
    if over <= 0:
        return rows
    left_out = 0
    kept: list[Row] = []
    for row in rows:
        if row.status == defaults.SUCCESS and left_out <= over:
            left_out += 1
        else:
            kept.append(row)
    head = [Row(0, defaults.SUCCESS, f"{left_out} more", "", None)] if left_out else []
    shown = [*head, *kept]
    if len(shown) <= most:
        return shown
    return [*shown[: most - 1], Row(0, WAITING, "...", "", None)]
