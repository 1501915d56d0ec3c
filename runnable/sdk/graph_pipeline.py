"""Pipelines whose graph is made already."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from pydantic import InstanceOf, SkipValidation

from runnable.graph import Graph
from runnable.sdk.pipeline import Pipeline, Step


class GraphPipeline(Pipeline):
    """A pipeline with a ready-made graph, such as that of a file."""

    steps: Sequence[InstanceOf[Step] | Callable[..., object]] = ()
    dag: SkipValidation[Graph]
    file: str = ""
    """The file that describes it, if one does."""

    whole: SkipValidation[Graph | None] = None
    """That of the pipeline which it is a part of, if it is one."""
    kept: frozenset[str] = frozenset()
    """The names of the steps of that pipeline that it has, or is in."""

    def model_post_init(self, context: object, /) -> None:
        """Assemble and check the graph."""
        super().model_post_init(context)
        self._request = replace(self._request, whole=self.whole, kept=self.kept)

    def _make_graph(self) -> Graph:
        return self.dag

    def _file(self) -> str:
        return self.file
