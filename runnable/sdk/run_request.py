"""Run requests: what `start` executes, a pipeline or a job."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from runnable.graph import Graph, JobNode, Need, names_known

if TYPE_CHECKING:
    # Whoever only defines a pipeline needs none of what runs it.
    from runnable.context import RunContext
    from runnable.events.hooks import Hook
    from runnable.executor import BaseExecutor


@dataclass(frozen=True, kw_only=True)
class RunRequest:
    """Execute this graph: that of a pipeline, or the one step of a job."""

    graph: Graph
    needs: Sequence[Need] = ()
    """The parameters that the run has to start with."""
    file: str = ""
    """The file that describes the pipeline; empty if Python does."""
    reference: str = ""
    """Location of the definition for another process, if its author gave it."""
    described_hooks: Mapping[str, object] = field(default_factory=dict[str, object])
    """Its hooks, by key."""
    whole: Graph | None = None
    """The graph of the whole pipeline, if this is a part of it."""
    kept: frozenset[str] = frozenset()
    """The names of its own steps that the part has, or is in."""
    runs_here: bool = False
    """True if this process was launched to run it, so it launches nothing."""

    @cached_property
    def names_known(self) -> frozenset[str] | None:
        """The names of the parameters that its steps use or set; None for any."""
        return names_known(self.graph)

    @property
    def job(self) -> JobNode | None:
        """The step of a job; None for a pipeline."""
        node = self.graph.nodes.get(self.graph.start_at)
        return node if isinstance(node, JobNode) else None

    @property
    def context_type(self) -> "type[RunContext]":
        """The class of the context of the run."""
        from runnable.context import JobContext, PipelineContext

        return PipelineContext if self.job is None else JobContext

    @property
    def executor_port(self) -> "type[BaseExecutor]":
        """The class of executors that can run it."""
        from runnable.executor import BaseJobExecutor, BasePipelineExecutor

        return BasePipelineExecutor if self.job is None else BaseJobExecutor

    def hooks(self) -> "list[Hook]":
        """Return what is called when it, or a step of it, has ended."""
        if not self.described_hooks:
            return []
        from runnable.events.hooks import hooks_of

        described = self.described_hooks.items()
        return [hook for key, it in described for hook in hooks_of(it, key)]

    @property
    def digest(self) -> str:
        """The identity of a job among others of the same program."""
        if self.job is None:
            return ""
        from runnable.engine import job_digest

        return job_digest(self.job)

    @property
    def origin(self) -> Mapping[str, str]:
        """The definition, as the context records it."""
        if not self.file:
            return {"reference": self.reference}
        return {
            "execution_mode": "yaml",
            "pipeline_definition_file": self.file,
            "reference": self.file,
        }
