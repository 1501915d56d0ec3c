"""Base class of pipelines: a graph, and its drawings."""

import abc
from typing import TYPE_CHECKING

from pydantic import ConfigDict

from runnable.graph import Graph
from runnable.sdk.definition import Definition

if TYPE_CHECKING:
    # Whoever only defines a pipeline does not draw it.
    from runnable.pictures import Chart


class AnyPipeline(Definition, abc.ABC):
    """Base class of pipelines; breaks the cycle between `Step` and `Pipeline`."""

    model_config = ConfigDict(
        extra="forbid", arbitrary_types_allowed=True, defer_build=True
    )

    @abc.abstractmethod
    def return_dag(self) -> Graph:
        """Return the graph of this pipeline."""

    def to_svg(self, *, parameters: bool = False) -> str:
        """Draw the pipeline as SVG; notebooks show it by themselves.

        Args:
            parameters: Whether steps show which parameters they set.

        Example:
            >>> from runnable import Pipeline, Stub
            >>> Pipeline(steps=[Stub(name="load")]).to_svg().startswith("<svg")
            True
        """
        from runnable.pictures import as_svg

        return as_svg(self._chart(), parameters=parameters)

    def to_mermaid(self) -> str:
        """Write the pipeline as a Mermaid flowchart.

        Example:
            >>> from runnable import Pipeline, Stub
            >>> print(Pipeline(steps=[Stub(name="a"), Stub(name="b")]).to_mermaid())
            flowchart TD
                n1["a"]
                n2["b"]
                n1 --> n2
        """
        from runnable.pictures import as_mermaid

        return as_mermaid(self._chart())

    def to_dot(self) -> str:
        """Write the pipeline in the language of Graphviz.

        Example:
            >>> from runnable import Pipeline, Stub
            >>> Pipeline(steps=[Stub(name="load")]).to_dot().splitlines()[0]
            'digraph pipeline {'
        """
        from runnable.pictures import as_dot

        return as_dot(self._chart())

    def _chart(self) -> "Chart":
        from runnable.pictures import chart_of

        return chart_of(self.return_dag().described)

    def _repr_html_(self) -> str:
        return self.to_svg()
