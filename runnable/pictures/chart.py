"""The chart of a pipeline: its steps, what is in them, and what follows them.

It is made of the description that each run log has of its graph, so that a run can be
drawn without the code that it ran. The steps of a map or a loop are there once,
whatever the number of items.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from runnable.defaults import CANCELLED, FAIL, PROCESSING, SUCCESS
from runnable.graph import SUCCESS_NODE, TERMINAL_NAMES, join

EACH = "*"
"""Stands for the branches of a map or a loop in the path of a step."""
_SHOWN_COMMAND = 60

_ORDER = (FAIL, CANCELLED, PROCESSING, SUCCESS)
"""The status that a step shows is the first of these that one of its runs has."""
_SHOWN_STATUS = {
    FAIL: "failed",
    CANCELLED: "cancelled",
    PROCESSING: "running",
    SUCCESS: "succeeded",
}

Counts = Mapping[str, Mapping[str, int]]
"""How many steps have which status, by the path of the step in the chart."""


class Edge(NamedTuple):
    """An edge to the next step."""

    source: str
    target: str
    kind: Literal["next", "failure"] = "next"


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a chart."""

    path: str
    """With `*` for the branches of maps and loops."""
    name: str
    kind: str
    """The type of its node, such as `task`."""
    text: str
    """Its purpose, in a few words."""
    given: tuple[str, ...] = ()
    """The parameters that it needs."""
    returned: tuple[str, ...] = ()
    """The parameters that it sets."""
    branches: "tuple[Branch, ...]" = ()
    counts: Mapping[str, int] | None = None
    """How many have which status in a run; None without one."""


class Branch(NamedTuple):
    """A branch of a step."""

    label: str
    """Its name; empty for the one of a map or a loop."""
    chart: "Chart"


@dataclass(frozen=True, slots=True)
class Chart:
    """The steps of a pipeline or of a branch."""

    name: str
    steps: tuple[Step, ...]
    """Those on the way to success first, in their order."""
    main: int
    """How many of them are on the way to success."""
    edges: tuple[Edge, ...]
    """Between the names of steps, or to `success` or `fail`."""


def chart_of(described: Mapping[str, Any], counts: Counts | None = None) -> Chart:
    """Make the chart of a pipeline.

    Args:
        described: Its graph, as `Graph.described` and run logs have it.
        counts: The statuses in a run.

    Example:
        >>> node = {"node_type": "stub", "name": "s", "next_node": "success"}
        >>> chart_of({"start_at": "s", "nodes": {"s": node}}).edges
        (Edge(source='s', target='success', kind='next'),)
    """
    return _chart(described, "", counts)


def _chart(described: Mapping[str, Any], at: str, counts: Counts | None) -> Chart:
    nodes: Mapping[str, Mapping[str, Any]] = described["nodes"]
    names = [name for name in nodes if name not in TERMINAL_NAMES]
    main = list(_way(described["start_at"], nodes))
    ordered = [*main, *(name for name in names if name not in main)]
    return Chart(
        str(described.get("name") or ""),
        tuple(_step(nodes[name], at, counts) for name in ordered),
        len(main),
        tuple(edge for name in ordered for edge in _edges(nodes[name])),
    )


def _way(start: str, nodes: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Yield the steps from the start to an end, if each one succeeds."""
    at, seen = start, set[str](TERMINAL_NAMES)
    while at in nodes and at not in seen:
        seen.add(at)
        yield at
        at = str(nodes[at].get("next_node", SUCCESS_NODE))


def _edges(node: Mapping[str, Any]) -> Iterator[Edge]:
    name = str(node["name"])
    yield Edge(name, str(node.get("next_node") or SUCCESS_NODE))
    if node.get("on_failure"):
        yield Edge(name, str(node["on_failure"]), "failure")


def _step(node: Mapping[str, Any], at: str, counts: Counts | None) -> Step:
    name, kind = str(node["name"]), str(node["node_type"])
    path = join(at, name)
    return Step(
        path,
        name,
        kind,
        _text(node, kind),
        tuple(_given(node, kind)),
        tuple(it["name"] for it in node.get("returns") or ()),
        tuple(_branches(node, path, counts)),
        None if counts is None else counts.get(path, {}),
    )


def _text(node: Mapping[str, Any], kind: str) -> str:
    match kind:
        case "map":
            return f"for each {node['iterate_as']} in {node['iterate_on']}"
        case "loop":
            most = node["max_iterations"]
            return f"until {node['break_on']}, at most {most} times"
        case "conditional":
            default = f", else {node['default']}" if node.get("default") else ""
            return f"by {node['parameter']}{default}"
        case "task" | "job":
            command = " ".join(str(node.get("command", "")).split())
            return f"{node.get('command_type', '')}: {command}"[:_SHOWN_COMMAND]
        case _:
            return kind


def _given(node: Mapping[str, Any], kind: str) -> Sequence[str]:
    asked = {"map": "iterate_on", "loop": "break_on", "conditional": "parameter"}
    return [str(node[asked[kind]])] if kind in asked else []


def _branches(
    node: Mapping[str, Any], path: str, counts: Counts | None
) -> Iterator[Branch]:
    if "branch" in node:
        yield Branch("", _chart(node["branch"], join(path, EACH), counts))
    branches: Mapping[str, Mapping[str, Any]] = node.get("branches", {})
    for name, described in branches.items():
        yield Branch(name, _chart(described, join(path, name), counts))


def status_of(counts: Mapping[str, int]) -> str:
    """Return the status that stands for several: the worst; empty without any."""
    return next((it for it in _ORDER if counts.get(it)), "")


def status_text(counts: Mapping[str, int] | None) -> str:
    """Say how many have which status; nothing without a run."""
    if counts is None:
        return ""
    told = [f"{counts[it]} {_SHOWN_STATUS[it]}" for it in _ORDER if counts.get(it)]
    return ", ".join(told) or "not run"
