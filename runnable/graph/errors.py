"""Errors in the description of a graph; its author must act."""

from collections.abc import Sequence

from runnable.errors import DefinitionError, did_you_mean


class GraphError(DefinitionError):
    """A graph has one or more faults, all of them listed."""

    def __init__(self, pipeline: str, findings: Sequence[str]) -> None:
        super().__init__(pipeline, findings)
        self.pipeline = pipeline
        self.findings = list(findings)

    def __str__(self) -> str:
        name = f"pipeline {self.pipeline!r}" if self.pipeline else "the pipeline"
        if len(self.findings) == 1:
            return f"{name} cannot run: {self.findings[0]}"
        lines = "".join(f"\n  - {finding}" for finding in self.findings)
        return f"{name} cannot run, for {len(self.findings)} reasons:{lines}"


class ParameterTypeError(GraphError):
    """Steps return what others that use it cannot take, by their annotations."""

    def __str__(self) -> str:
        advice = (
            "Correct the annotations; or leave the types unchecked, with "
            "check_types=False of the pipeline."
        )
        joint = "\n" if len(self.findings) > 1 else ". "
        return f"{super().__str__()}{joint}{advice}"


class NodeNotFoundError(DefinitionError):
    """A graph has no node of this name."""

    def __init__(self, name: str, known: Sequence[str] = ()) -> None:
        super().__init__(name, known)
        self.name = name
        self.known = known

    def __str__(self) -> str:
        return f"There is no step {self.name!r}. {did_you_mean(self.name, self.known)}"


class BranchNotFoundError(NodeNotFoundError):
    """A node has no branch of this name."""

    def __str__(self) -> str:
        hint = did_you_mean(self.name, self.known)
        return f"There is no branch {self.name!r}. {hint}"


class NodeMethodCallError(DefinitionError):
    """A node was asked for something that only another kind of node has."""


class TerminalNodeError(DefinitionError):
    """A terminal node was asked for its next node."""
