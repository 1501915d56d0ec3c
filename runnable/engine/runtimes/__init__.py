"""How functions are called: the only code that knows synchronous from not."""

from runnable.engine.runtimes.base import Runtime
from runnable.engine.runtimes.calls import CallInterrupted, RunningCall
from runnable.engine.runtimes.inline import InlineRuntime, run_by_hand
from runnable.engine.runtimes.on_loop import LoopRuntime

__all__ = [
    "CallInterrupted",
    "InlineRuntime",
    "LoopRuntime",
    "RunningCall",
    "Runtime",
    "run_by_hand",
]
