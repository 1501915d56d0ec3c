"""What happens next: a pure state machine over a graph.

Theory of operation. A `Traversal` is the position of one run in one graph. It is fed
the outcome of what it asked for, and answers with the next command; it does no I/O,
knows no clock, and does not know who is asking. Everything that is decided is in the
table: what kind of node has ended, and how, says which way it goes.
"""

import enum
from typing import Final, NamedTuple

from runnable.graph import FAIL_NODE, FailNode, Graph, Node, StepNode, SuccessNode


class Outcome(enum.StrEnum):
    """How a node ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"


class Place(enum.StrEnum):
    """What kind of node a traversal stands at."""

    STEP = "step"
    SUCCESS = "success"
    FAIL = "fail"


class Way(enum.StrEnum):
    """Where a traversal goes from there."""

    NEXT = "next step"
    ON_FAILURE = "failure path"
    END_WELL = "ended well"
    END_BADLY = "ended in failure"


TRANSITIONS: Final = {
    (Place.STEP, Outcome.SUCCEEDED): Way.NEXT,
    (Place.STEP, Outcome.FAILED): Way.ON_FAILURE,
    (Place.SUCCESS, Outcome.SUCCEEDED): Way.END_WELL,
    (Place.SUCCESS, Outcome.FAILED): Way.END_BADLY,
    (Place.FAIL, Outcome.SUCCEEDED): Way.END_BADLY,
    (Place.FAIL, Outcome.FAILED): Way.END_BADLY,
}
"""Every transition. A terminal node runs nothing, but its log may not be kept."""


class RunNode(NamedTuple):
    """A command: run this node, and report its outcome."""

    node: Node


class Finish(NamedTuple):
    """A command: the graph has been traversed."""

    succeeded: bool


Command = RunNode | Finish


class IllegalTransitionError(RuntimeError):
    """An outcome was reported that nobody asked for; the engine is at fault."""


class Traversal:
    """The position of one run in one graph.

    Args:
        graph: A valid graph.

    Example:
        >>> from runnable import Pipeline, Stub
        >>> walk = Traversal(Pipeline(steps=[Stub(name="a")]).return_dag())
        >>> walk.command.node.name
        'a'
        >>> walk.advance(Outcome.SUCCEEDED).node.name
        'success'
        >>> walk.advance(Outcome.SUCCEEDED)
        Finish(succeeded=True)
    """

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self.command: Command = RunNode(graph.node(graph.start_at))

    def advance(self, outcome: Outcome) -> Command:
        """Report how the commanded node ended.

        Args:
            outcome: How it ended.

        Returns:
            The next command, also in `command`.

        Raises:
            IllegalTransitionError: If the traversal has ended.
        """
        if not isinstance(self.command, RunNode):
            raise IllegalTransitionError(f"{outcome} after the end of the traversal")
        node = self.command.node
        self.command = self._go(TRANSITIONS[_place_of(node), outcome], node)
        return self.command

    def _go(self, way: Way, node: Node) -> Command:
        if isinstance(node, StepNode):
            failure = node.on_failure or FAIL_NODE
            return RunNode(
                self._graph.node(node.next_node if way is Way.NEXT else failure)
            )
        return Finish(succeeded=way is Way.END_WELL)


def _place_of(node: Node) -> Place:
    if isinstance(node, SuccessNode):
        return Place.SUCCESS
    return Place.FAIL if isinstance(node, FailNode) else Place.STEP


def diagram() -> str:
    """Draw the transition table, as a Mermaid state diagram.

    Example:
        >>> diagram().splitlines()[0]
        'stateDiagram-v2'
    """
    lines = ["stateDiagram-v2", "    [*] --> step"]
    for (place, outcome), way in TRANSITIONS.items():
        ends = way in {Way.END_WELL, Way.END_BADLY}
        targets = ["[*]"] if ends else ["step", _terminal_for(way)]
        lines += [f"    {place} --> {target}: {outcome} / {way}" for target in targets]
    return "\n".join(lines)


def _terminal_for(way: Way) -> Place:
    return Place.SUCCESS if way is Way.NEXT else Place.FAIL
