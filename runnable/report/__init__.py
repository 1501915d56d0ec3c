"""Reports for people: tables, timelines, comparisons and drawings."""

from runnable.report.comparison import Difference, compare
from runnable.report.drawing import draw
from runnable.report.summary import error_of, summarise
from runnable.report.timeline import Timeline, as_text, timeline
from runnable.report.timeline_page import as_page

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
