"""Test pipelines and what runs them: the fixtures are in `plugin`, for pytest.

Names are imported when they are first used: pytest loads the plugin in every session.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runnable.testing.asserting import (
        assert_failed,
        assert_outputs,
        assert_ran,
        assert_succeeded,
    )
    from runnable.testing.clock import FrozenClock
    from runnable.testing.patching import mocked, replaced
    from runnable.testing.running import StepResult, one_step

__all__ = [
    "FrozenClock",
    "StepResult",
    "assert_failed",
    "assert_outputs",
    "assert_ran",
    "assert_succeeded",
    "mocked",
    "one_step",
    "replaced",
]

_HOMES = {
    "FrozenClock": "clock",
    "StepResult": "running",
    "mocked": "patching",
    "one_step": "running",
    "replaced": "patching",
}


def __getattr__(name: str) -> object:
    if name in __all__:
        module = f"{__name__}.{_HOMES.get(name, 'asserting')}"
        value: object = getattr(importlib.import_module(module), name)
        globals()[name] = value
        return value
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
