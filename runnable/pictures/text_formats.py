"""Charts in the languages of other programs: Mermaid and DOT."""

import abc
import json
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import ClassVar

from runnable.pictures.chart import Branch, Chart, Step

_INDENT = "    "


def as_mermaid(chart: Chart) -> str:
    r"""Write a chart as a Mermaid flowchart.

    Args:
        chart: The chart.

    Example:
        >>> from runnable.pictures import chart_of
        >>> node = {"node_type": "stub", "name": "s", "next_node": "success"}
        >>> print(as_mermaid(chart_of({"start_at": "s", "nodes": {"s": node}})))
        flowchart TD
            n1["s"]
    """
    lines = _Mermaid().lines(chart, _INDENT)
    return "\n".join(["flowchart TD", *lines])


def as_dot(chart: Chart) -> str:
    """Write a chart in the language of Graphviz.

    Args:
        chart: The chart.
    """
    head = [
        "digraph pipeline {",
        f"{_INDENT}compound=true",
        f"{_INDENT}node [shape=box]",
    ]
    return "\n".join([*head, *_Dot().lines(chart, _INDENT), "}"])


class _Writer(abc.ABC):
    """Writes a chart; numbers stand for steps, since names may be any text."""

    closing: ClassVar[str]
    """The end of a frame."""
    frames_each: ClassVar[bool]
    """Whether the branch of a map or a loop, which has no name, has a frame too."""

    def __init__(self) -> None:
        self._count = 0

    def lines(self, chart: Chart, pad: str) -> Iterator[str]:
        """Yield the lines of a chart."""
        numbers: dict[str, str] = {}
        for step in chart.steps:
            numbers[step.name] = self._number()
            yield from self._step(step, numbers[step.name], pad)
        for edge in chart.edges:
            source, target = numbers[edge.source], numbers.get(edge.target)
            if target is not None:
                line = self.edge(source, target, failed=edge.kind == "failure")
                yield f"{pad}{line}"

    def _number(self) -> str:
        self._count += 1
        return f"n{self._count}"

    def _step(self, step: Step, number: str, pad: str) -> Iterator[str]:
        if not step.branches:
            yield f"{pad}{self.box(step.name, number)}"
            return
        inner = pad + _INDENT
        content = chain(
            self.anchor(number, inner),
            *(self._branch(branch, inner) for branch in step.branches),
        )
        yield from self._framed(f"{step.name}: {step.text}", number, content, pad)

    def _branch(self, branch: Branch, pad: str) -> Iterator[str]:
        if not branch.label and not self.frames_each:
            yield from self.lines(branch.chart, pad)
            return
        content = self.lines(branch.chart, pad + _INDENT)
        yield from self._framed(branch.label, self._number(), content, pad)

    def _framed(
        self, label: str, number: str, content: Iterable[str], pad: str
    ) -> Iterator[str]:
        opening, *more = self.frame(label, number)
        yield f"{pad}{opening}"
        yield from (f"{pad}{_INDENT}{line}" for line in more)
        yield from content
        yield f"{pad}{self.closing}"

    def anchor(self, number: str, pad: str) -> Iterator[str]:
        """Yield what edges lead to, if a frame itself cannot be the end of one."""
        del number, pad
        yield from ()

    @abc.abstractmethod
    def box(self, name: str, number: str) -> str:
        """Return the line of a step without branches."""

    @abc.abstractmethod
    def frame(self, label: str, number: str) -> list[str]:
        """Return the lines that begin a frame."""

    @abc.abstractmethod
    def edge(self, source: str, target: str, *, failed: bool) -> str:
        """Return the line of an edge."""


class _Mermaid(_Writer):
    closing = "end"
    frames_each = False

    def box(self, name: str, number: str) -> str:
        return f"{number}[{_quoted(name)}]"

    def frame(self, label: str, number: str) -> list[str]:
        return [f"subgraph {number}[{_quoted(label)}]"]

    def edge(self, source: str, target: str, *, failed: bool) -> str:
        return f"{source} {'-. on failure .->' if failed else '-->'} {target}"


def _quoted(text: str) -> str:
    """Write a text as Mermaid has it: with entities for what would be markup."""
    plain = "".join(
        it if it.isalnum() or it in " _-.,:" else f"#{ord(it)};" for it in text
    )
    return f'"{plain}"'


class _Dot(_Writer):
    closing = "}"
    frames_each = True

    def box(self, name: str, number: str) -> str:
        return f"{number} [label={json.dumps(name)}]"

    def frame(self, label: str, number: str) -> list[str]:
        return [f"subgraph cluster_{number} {{", f"label={json.dumps(label)}"]

    def anchor(self, number: str, pad: str) -> Iterator[str]:
        yield f"{pad}{number} [shape=point, style=invis]"

    def edge(self, source: str, target: str, *, failed: bool) -> str:
        style = ' [style=dashed, label="on failure"]' if failed else ""
        return f"{source} -> {target}{style}"
