"""Show the progress of runs on a terminal, in a pipe or in a notebook, while they run.

A subscriber of each run that is shown; nothing of it is imported unless asked for.
"""

from runnable.progress.displays import shown

__all__ = ["shown"]
