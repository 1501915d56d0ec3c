"""What people read about a run."""

from runnable.report.summary import summarise

__all__ = ["summarise"]
