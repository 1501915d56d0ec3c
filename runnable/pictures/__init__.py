"""Pictures of pipelines: a chart of the steps, and what it is drawn as."""

from runnable.pictures.chart import (
    Branch,
    Chart,
    Counts,
    Edge,
    Step,
    chart_of,
    status_of,
)
from runnable.pictures.svg import as_svg
from runnable.pictures.text_formats import as_dot, as_mermaid

__all__ = [
    "Branch",
    "Chart",
    "Counts",
    "Edge",
    "Step",
    "as_dot",
    "as_mermaid",
    "as_svg",
    "chart_of",
    "status_of",
]
