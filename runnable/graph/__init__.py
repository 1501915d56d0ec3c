"""Graphs of steps: descriptions, paths and validation; no I/O."""

from runnable.graph.nodes import (
    FAIL_NODE,
    SUCCESS_NODE,
    TERMINAL_NAMES,
    CatalogSettings,
    FailNode,
    Graph,
    JobNode,
    Node,
    StepNode,
    StubNode,
    SuccessNode,
    Task,
    TaskNode,
)
from runnable.graph.paths import execution_log_name, join
from runnable.graph.validation import unprovided_parameters, validate

__all__ = [
    "FAIL_NODE",
    "SUCCESS_NODE",
    "TERMINAL_NAMES",
    "CatalogSettings",
    "FailNode",
    "Graph",
    "JobNode",
    "Node",
    "StepNode",
    "StubNode",
    "SuccessNode",
    "Task",
    "TaskNode",
    "execution_log_name",
    "join",
    "unprovided_parameters",
    "validate",
]
