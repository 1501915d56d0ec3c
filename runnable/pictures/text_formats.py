"""Charts in the languages of other programs: Mermaid and DOT."""

import json
from collections.abc import Iterator

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


class _Writer:
    """Writes a chart; numbers stand for steps, since names may be any text."""

    def __init__(self) -> None:
        self._count = 0

    def lines(self, chart: Chart, pad: str) -> Iterator[str]:
        """Yield the lines of a chart."""
        numbers: dict[str, str] = {}
        for step in chart.steps:
            self._count += 1
            numbers[step.name] = f"n{self._count}"
            yield from self.step(step, numbers[step.name], pad)
        for edge in chart.edges:
            source, target = numbers[edge.source], numbers.get(edge.target)
            if target is not None:
                yield self.edge(source, target, pad, failed=edge.kind == "failure")

    def step(self, step: Step, number: str, pad: str) -> Iterator[str]:
        """Yield the lines of a step, and of what is in it."""
        raise NotImplementedError

    def edge(self, source: str, target: str, pad: str, *, failed: bool) -> str:
        """Return the line of an edge."""
        raise NotImplementedError


class _Mermaid(_Writer):
    def step(self, step: Step, number: str, pad: str) -> Iterator[str]:
        if not step.branches:
            yield f"{pad}{number}[{_quoted(step.name)}]"
            return
        yield f"{pad}subgraph {number}[{_quoted(f'{step.name}: {step.text}')}]"
        for branch in step.branches:
            yield from self._branch(branch, pad + _INDENT)
        yield f"{pad}end"

    def _branch(self, branch: Branch, pad: str) -> Iterator[str]:
        if not branch.label:
            yield from self.lines(branch.chart, pad)
            return
        self._count += 1
        yield f"{pad}subgraph n{self._count}[{_quoted(branch.label)}]"
        yield from self.lines(branch.chart, pad + _INDENT)
        yield f"{pad}end"

    def edge(self, source: str, target: str, pad: str, *, failed: bool) -> str:
        return f"{pad}{source} {'-. on failure .->' if failed else '-->'} {target}"


def _quoted(text: str) -> str:
    """Write a text as Mermaid has it: with entities for what would be markup."""
    plain = "".join(
        it if it.isalnum() or it in " _-.,:" else f"#{ord(it)};" for it in text
    )
    return f'"{plain}"'


class _Dot(_Writer):
    def step(self, step: Step, number: str, pad: str) -> Iterator[str]:
        if not step.branches:
            yield f"{pad}{number} [label={json.dumps(step.name)}]"
            return
        yield f"{pad}subgraph cluster_{number} {{"
        inner = pad + _INDENT
        yield f"{inner}label={json.dumps(f'{step.name}: {step.text}')}"
        # Edges lead to a point in the cluster, and are cut at its border.
        yield f"{inner}{number} [shape=point, style=invis]"
        for branch in step.branches:
            yield from self._branch(branch, inner)
        yield f"{pad}}}"

    def _branch(self, branch: Branch, pad: str) -> Iterator[str]:
        self._count += 1
        yield f"{pad}subgraph cluster_n{self._count} {{"
        yield f"{pad}{_INDENT}label={json.dumps(branch.label)}"
        yield from self.lines(branch.chart, pad + _INDENT)
        yield f"{pad}}}"

    def edge(self, source: str, target: str, pad: str, *, failed: bool) -> str:
        style = ' [style=dashed, label="on failure"]' if failed else ""
        return f"{pad}{source} -> {target}{style}"
