"""Reports for people: tables, timelines, comparisons and drawings."""

from runnable.report.comparison import Difference, compare
from runnable.report.drawing import draw
from runnable.report.summary import error_of, summarise
from runnable.report.timeline import Timeline, as_page, as_text, timeline

__all__ = [
    "Difference",
    "Timeline",
    "as_page",
    "as_text",
    "compare",
    "draw",
    "error_of",
    "summarise",
    "timeline",
]
