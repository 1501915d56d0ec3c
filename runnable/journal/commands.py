"""Commands: the answers of the state of a run to the question what comes next."""

from typing import NamedTuple

from runnable.graph import Node
from runnable.journal.scope_tree import StepState
from runnable.journal.traversal import Finish


class RunNode(NamedTuple):
    """A command: run this node, and record how it ended."""

    node: Node


class Reuse(NamedTuple):
    """A command: this node has ended before; take its recorded outputs."""

    node: Node
    step: StepState


Command = RunNode | Reuse | Finish
