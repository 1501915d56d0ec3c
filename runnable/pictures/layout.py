"""Where the steps of a chart stand: a layout of its own for nested charts.

Theory of operation. Steps follow each other downwards. A step with branches is a frame
around them, side by side. Steps that only a failure leads to stand in a column at the
right of the others, at the height of the step below the one that failed. So no edge
crosses a step: an edge to the next step goes straight down, one to a failure path goes
out to the right and down, and one that comes back, or skips steps, runs in the lane
between the two columns.
"""

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from runnable.pictures.chart import Branch, Chart, Edge, Step, status_text

STEP_HEIGHT = 40.0
HEAD_HEIGHT = 40.0
"""Of a frame, above its branches."""
LABEL_HEIGHT = 20.0
"""Of the name of a branch."""
_GAP = 24.0
_PAD = 14.0
_LANE = 28.0
_NARROWEST, _WIDEST = 110.0, 260.0
_CHARACTER = 7.2
"""The width of a character, in a font of 12 pixels."""


class Box(NamedTuple):
    """Where something stands."""

    x: float
    y: float
    width: float
    height: float


class PlacedStep(NamedTuple):
    """A step, and where it stands."""

    step: Step
    box: Box


class PlacedLabel(NamedTuple):
    """The name of a branch, and the frame of the branch."""

    text: str
    box: Box


class PlacedEdge(NamedTuple):
    """An edge, and the points that it leads through."""

    edge: Edge
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """A chart on a plane, in pixels."""

    width: float
    height: float
    steps: tuple[PlacedStep, ...]
    """Frames before what is in them."""
    labels: tuple[PlacedLabel, ...]
    edges: tuple[PlacedEdge, ...]


def width_of(text: str) -> float:
    """Return how wide a text is, about, in pixels."""
    wide = sum(unicodedata.east_asian_width(it) in "WF" for it in text)
    return (len(text) + 0.8 * wide) * _CHARACTER


def lay_out(chart: Chart) -> Layout:
    """Place the steps of a chart.

    Args:
        chart: The chart.

    Example:
        >>> from runnable.pictures import chart_of
        >>> node = {"node_type": "stub", "name": "s", "next_node": "success"}
        >>> lay_out(chart_of({"start_at": "s", "nodes": {"s": node}})).height
        40.0
    """
    return _Block(chart).at(0.0, 0.0)


class _Frame(NamedTuple):
    """A branch before it is placed: its size, with its name."""

    branch: Branch
    block: "_Block"
    width: float
    height: float


class _Inner(NamedTuple):
    """A step before it is placed: its size, and the branches in it."""

    step: Step
    frames: list[_Frame]
    width: float
    height: float


class _Block:
    """A chart before it is placed: it knows its size."""

    def __init__(self, chart: Chart) -> None:
        self._chart = chart
        self._inner = [_measured(step) for step in chart.steps]
        main, side = self._inner[: chart.main], self._inner[chart.main :]
        self._column = max((it.width for it in main), default=0.0)
        lane = _LANE if side or self._skips() else 0.0
        self._side_at = self._column + lane
        self._side = max((it.width for it in side), default=0.0)
        self.width = self._side_at + self._side
        self._places = dict(self._stacked(main, side))
        self.height = max(
            (y + it.height for it, y in self._placed()), default=STEP_HEIGHT
        )

    def _skips(self) -> bool:
        """Return True if an edge between steps does not lead to the next one."""
        names = [step.name for step in self._chart.steps]
        return any(
            edge.target in names
            and names.index(edge.target) != names.index(edge.source) + 1
            for edge in self._chart.edges
        )

    def _stacked(
        self, main: list[_Inner], side: list[_Inner]
    ) -> Iterator[tuple[str, float]]:
        """Yield the height at which each step stands, by its name."""
        y, below = 0.0, dict[str, float]()
        for it in main:
            yield it.step.name, y
            y += it.height + _GAP
            below[it.step.name] = y
        free = 0.0
        for it in side:
            sources = [e.source for e in self._chart.edges if e.target == it.step.name]
            wanted = [below.get(name, 0.0) for name in sources]
            y = max(free, min(wanted, default=0.0))
            yield it.step.name, y
            free = y + it.height + _GAP
            below[it.step.name] = free

    def _placed(self) -> Iterator[tuple[_Inner, float]]:
        return ((it, self._places[it.step.name]) for it in self._inner)

    def at(self, x: float, y: float) -> Layout:
        """Place the chart with its corner at a point."""
        steps: list[PlacedStep] = []
        labels: list[PlacedLabel] = []
        edges: list[PlacedEdge] = []
        boxes: dict[str, Box] = {}
        for number, (it, top) in enumerate(self._placed()):
            left, column = x, self._column
            if number >= self._chart.main:
                left, column = x + self._side_at, self._side
            box = Box(left + (column - it.width) / 2, y + top, it.width, it.height)
            boxes[it.step.name] = box
            steps.append(PlacedStep(it.step, box))
            for part, label in _branches_in(it, box):
                labels += [label, *part.labels] if label.text else part.labels
                steps += part.steps
                edges += part.edges
        lane = x + self._column + (self._side_at - self._column) / 2
        for edge in self._chart.edges:
            if edge.target in boxes:
                ends = boxes[edge.source], boxes[edge.target]
                edges.append(PlacedEdge(edge, _points(*ends, lane)))
        return Layout(
            self.width, self.height, tuple(steps), tuple(labels), tuple(edges)
        )


def _measured(step: Step) -> _Inner:
    small = max(map(width_of, (step.text, status_text(step.counts)))) * 0.85
    text = max(width_of(step.name), small) + 2 * _PAD
    own = min(max(text, _NARROWEST), _WIDEST)
    if not step.branches:
        return _Inner(step, [], own, STEP_HEIGHT)
    frames = [_frame(branch) for branch in step.branches]
    width = max(own, _inside(frames) + 2 * _PAD)
    height = HEAD_HEIGHT + max(it.height for it in frames) + _PAD
    return _Inner(step, frames, width, height)


def _inside(frames: Sequence[_Frame]) -> float:
    """Return the width of branches, side by side."""
    return sum(it.width + _GAP for it in frames) - _GAP


def _frame(branch: Branch) -> _Frame:
    """Measure a branch; one that has a name has a frame around it."""
    block = _Block(branch.chart)
    if not branch.label:
        return _Frame(branch, block, block.width, block.height)
    width = max(block.width, min(width_of(branch.label), _WIDEST)) + _PAD
    return _Frame(branch, block, width, block.height + LABEL_HEIGHT + _PAD / 2)


def _branches_in(it: _Inner, box: Box) -> Iterator[tuple[Layout, PlacedLabel]]:
    x, y = box.x + (box.width - _inside(it.frames)) / 2, box.y + HEAD_HEIGHT
    for branch, block, width, height in it.frames:
        label = LABEL_HEIGHT if branch.label else 0.0
        part = block.at(x + (width - block.width) / 2, y + label)
        yield part, PlacedLabel(branch.label, Box(x, y, width, height))
        x += width + _GAP


def _points(source: Box, target: Box, lane: float) -> tuple[tuple[float, float], ...]:
    bottom = source.x + source.width / 2, source.y + source.height
    top = target.x + target.width / 2, target.y
    follows = 0 < top[1] - bottom[1] <= _GAP + 1
    if follows and abs(top[0] - bottom[0]) < 1:
        return bottom, top
    # Out at the side, along the lane, and in at the side that it comes from.
    right = source.x + source.width
    start = right if source.x < lane else source.x
    end = target.x if target.x > lane else target.x + target.width
    y, into = source.y + source.height * 0.7, target.y + min(target.height, 40) * 0.4
    return (start, y), (lane, y), (lane, into), (end, into)
