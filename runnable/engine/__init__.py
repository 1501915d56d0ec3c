"""How a pipeline is run: what comes next, the life of a step, and how it is called."""

from runnable.engine.elsewhere import ByCommand
from runnable.engine.parts import Joined, OpenBranch, joined
from runnable.engine.places import Iteration, Part
from runnable.engine.resume import is_under_way
from runnable.engine.run import run
from runnable.engine.runtimes import (
    InlineRuntime,
    LoopRuntime,
    Runtime,
    run_by_hand,
)
from runnable.engine.session import AS_USUAL, Conditions, Services, script
from runnable.engine.standing import Standing
from runnable.engine.values import json_parameters
from runnable.under_way import UnderWay

__all__ = [
    "AS_USUAL",
    "ByCommand",
    "Conditions",
    "InlineRuntime",
    "Iteration",
    "Joined",
    "LoopRuntime",
    "OpenBranch",
    "Part",
    "Runtime",
    "Services",
    "Standing",
    "UnderWay",
    "is_under_way",
    "joined",
    "json_parameters",
    "run",
    "run_by_hand",
    "script",
]
