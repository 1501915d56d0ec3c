"""Runtimes call functions: the only code that knows synchronous from asynchronous."""

from runnable.engine.runtimes.asyncio_runtime import LoopRuntime
from runnable.engine.runtimes.base import Runtime
from runnable.engine.runtimes.crew import run_by_hand
from runnable.engine.runtimes.interruptible_call import CallInterrupted, RunningCall
from runnable.engine.runtimes.sync_runtime import InlineRuntime

__all__ = [
    "CallInterrupted",
    "InlineRuntime",
    "LoopRuntime",
    "RunningCall",
    "Runtime",
    "run_by_hand",
]
