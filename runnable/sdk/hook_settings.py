"""Hooks of a pipeline: functions that are called when it, or a step, has ended."""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict

from runnable.defaults import HOOK_KEYS
from runnable.parameters import shortened

AnyHook = Callable[..., object] | str | Mapping[str, Any]


def as_hooks(given: object) -> list[object]:
    """Refuse what cannot be called, such as the pipeline that a step's failure runs.

    Args:
        given: One, or several.

    Raises:
        ValueError: If one is nothing that can be called.
    """
    several = [given]
    if isinstance(given, Sequence) and not isinstance(given, str):
        several = [*cast("Sequence[object]", given)]
    for hook in several:
        if not (callable(hook) or isinstance(hook, str | Mapping)):
            raise ValueError(  # noqa: TRY004 - which pydantic takes
                f"{shortened(hook)} is no function, no name of one as "
                "package.module:function, and no mapping with `webhook`"
            )
    return several


Hooks = Annotated[AnyHook | Sequence[AnyHook], BeforeValidator(as_hooks)]


class HookSettings(BaseModel):
    """The function and its condition; it never decides how a run ends."""

    model_config = ConfigDict(defer_build=True)

    on_failure: Hooks = ()
    """Called with a `runnable.events.hooks.RunEnded` after a run that has failed: a
    function or coroutine function, its name as `package.module:function`, a mapping
    with `webhook`, or a list of these."""
    on_success: Hooks = ()
    """The same after a run that has succeeded."""
    on_step: Hooks = ()
    """Called with a `runnable.events.hooks.StepEnded` after each attempt of a step."""

    def described_hooks(self) -> dict[str, object]:
        """Return those that are given, by key."""
        return {key: it for key in HOOK_KEYS if (it := getattr(self, key))}
