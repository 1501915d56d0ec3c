"""How a pipeline is run: what comes next, the life of a step, and how it is called."""

from runnable.engine.elsewhere import ByCommand, CommandProcess
from runnable.engine.history import History
from runnable.engine.joining import joined
from runnable.engine.parts import Ended, Joined, OpenBranch
from runnable.engine.places import Iteration, Part
from runnable.engine.resume import deleting, is_under_way
from runnable.engine.run import run
from runnable.engine.runtimes import (
    CallInterrupted,
    InlineRuntime,
    LoopRuntime,
    RunningCall,
    Runtime,
    run_by_hand,
)
from runnable.engine.session import AS_USUAL, Conditions, Services, script
from runnable.engine.standing import Standing
from runnable.engine.turns import in_turn
from runnable.engine.values import json_parameters
from runnable.under_way import UnderWay

__all__ = [
    "AS_USUAL",
    "ByCommand",
    "CallInterrupted",
    "CommandProcess",
    "Conditions",
    "Ended",
    "History",
    "InlineRuntime",
    "Iteration",
    "Joined",
    "LoopRuntime",
    "OpenBranch",
    "Part",
    "RunningCall",
    "Runtime",
    "Services",
    "Standing",
    "UnderWay",
    "deleting",
    "in_turn",
    "is_under_way",
    "joined",
    "json_parameters",
    "run",
    "run_by_hand",
    "script",
]
