"""The transitions of a sequence of steps: which node follows, given how one ended."""

import enum
from collections.abc import Mapping
from typing import Any, Final, NamedTuple, cast

from pydantic import JsonValue

from runnable.graph import FAIL_NODE, BranchNames, Node, StepNode


class Outcome(enum.StrEnum):
    """How a node ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"


class NodeKind(enum.StrEnum):
    """The kinds of nodes that transitions distinguish."""

    STEP = "step"
    SUCCESS = "success"
    FAIL = "fail"


class Transition(enum.StrEnum):
    """The consequences of the end of a node."""

    NEXT = "next step"
    ON_FAILURE = "failure path"
    SUCCEED = "graph succeeds"
    FAIL = "graph fails"


TRANSITIONS: Final = {
    (NodeKind.STEP, Outcome.SUCCEEDED): Transition.NEXT,
    (NodeKind.STEP, Outcome.FAILED): Transition.ON_FAILURE,
    (NodeKind.SUCCESS, Outcome.SUCCEEDED): Transition.SUCCEED,
    (NodeKind.SUCCESS, Outcome.FAILED): Transition.FAIL,
    (NodeKind.FAIL, Outcome.SUCCEEDED): Transition.FAIL,
    (NodeKind.FAIL, Outcome.FAILED): Transition.FAIL,
}
"""Every transition. A terminal node runs nothing; it fails if its log is not kept."""


class Finish(NamedTuple):
    """A command: the graph has been traversed."""

    succeeded: bool


class Edges(NamedTuple):
    """The successors of a node."""

    kind: NodeKind
    next_node: str = ""
    on_failure: str = ""

    @classmethod
    def of(cls, node: Node) -> "Edges":
        """Return the edges of a node."""
        if isinstance(node, StepNode):
            return cls(NodeKind.STEP, node.next_node, node.on_failure)
        return cls(NodeKind(node.node_type))

    @classmethod
    def described(cls, node: Mapping[str, Any]) -> "Edges":
        """Return the edges of a node that is described in a run log."""
        if "next_node" in node:
            return cls(NodeKind.STEP, node["next_node"], node["on_failure"])
        return cls(NodeKind(node["node_type"]))


def follow(edges: Edges, outcome: Outcome) -> str | Finish:
    """Return what follows a node.

    Args:
        edges: Of the node that has ended.
        outcome: How it ended.

    Returns:
        The name of the next node, or the end of the graph.

    Example:
        >>> follow(Edges(NodeKind.STEP, "b"), Outcome.SUCCEEDED)
        'b'
        >>> follow(Edges(NodeKind.STEP, "b"), Outcome.FAILED)
        'fail'
        >>> follow(Edges(NodeKind.SUCCESS), Outcome.SUCCEEDED)
        Finish(succeeded=True)
    """
    transition = TRANSITIONS[edges.kind, outcome]
    if edges.next_node:
        if transition is Transition.NEXT:
            return edges.next_node
        return edges.on_failure or FAIL_NODE
    # A job is a graph of one step, which nothing follows.
    return Finish(transition in {Transition.SUCCEED, Transition.NEXT})


def described_branch(node: Mapping[str, JsonValue], name: str) -> Mapping[str, Any]:
    """Return the description of a branch, given that of its step.

    Args:
        node: As `Node.describe` returns it.
        name: The name of the branch in paths.
    """
    if "branch" in node:
        return cast("Mapping[str, Any]", node["branch"])
    names = BranchNames()
    branches = cast("Mapping[str, Mapping[str, Any]]", node["branches"])
    return next(it for key, it in branches.items() if names.name(key) == name)


def diagram() -> str:
    """Draw the transition table as a Mermaid state diagram.

    Example:
        >>> diagram().splitlines()[0]
        'stateDiagram-v2'
    """
    lines = ["stateDiagram-v2", "    [*] --> step"]
    for (kind, outcome), transition in TRANSITIONS.items():
        ends = transition in {Transition.SUCCEED, Transition.FAIL}
        targets = ["[*]"] if ends else ["step", _terminal_after(transition)]
        lines += [
            f"    {kind} --> {target}: {outcome} / {transition}" for target in targets
        ]
    return "\n".join(lines)


def _terminal_after(transition: Transition) -> NodeKind:
    return NodeKind.SUCCESS if transition is Transition.NEXT else NodeKind.FAIL
