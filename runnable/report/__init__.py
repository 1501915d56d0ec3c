"""What people see of a run, and of a pipeline."""

from runnable.report.comparison import Difference, compare
from runnable.report.drawing import draw
from runnable.report.summary import error_of, summarise

__all__ = ["Difference", "compare", "draw", "error_of", "summarise"]
