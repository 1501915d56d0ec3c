"""`os.environ` as the code of a step sees it, without writing to it.

Theory of operation. While runs are active, the class of the one `os.environ` object is
a subclass of its own class, whatever name it is known by. Reading in the code of a step
looks at the step's own variables first; everybody else, other threads and other runs
among them, sees the real environment. Its data are never touched, so `getenv` in C and
child processes that inherit it see no change; those get `os.environ.copy()`.
"""

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from runnable.scope import current_scope

if TYPE_CHECKING:
    _Base = os._Environ[str]  # noqa: SLF001 - the class of os.environ
else:
    _Base = type(os.environ)


def _own_variables() -> dict[str, str] | None:
    step = current_scope().step
    return step.environment if step is not None else None


class OverlaidEnvironment(_Base):
    """The environment, with the current step's variables on top."""

    def __getitem__(self, key: str) -> str:
        own = _own_variables()
        if own is not None and key in own:
            return own[key]
        return super().__getitem__(key)

    def __setitem__(self, key: str, value: str) -> None:
        own = _own_variables()
        if own is not None and key in own:
            own[key] = value
        else:
            super().__setitem__(key, value)

    def __delitem__(self, key: str) -> None:
        own = _own_variables()
        if own is not None and key in own:
            del own[key]
        else:
            super().__delitem__(key)

    def __iter__(self) -> Iterator[str]:
        own = _own_variables()
        if not own:
            return super().__iter__()
        return iter(dict.fromkeys([*super().__iter__(), *own]))

    def __len__(self) -> int:
        return sum(1 for _ in self)


def overlay() -> None:
    """Let steps see their own variables."""
    if type(os.environ) is _Base:
        _set_class(OverlaidEnvironment)


def remove_overlay() -> None:
    """Make `os.environ` what it was."""
    if type(os.environ) is OverlaidEnvironment:
        _set_class(_Base)


def _set_class(chosen: type) -> None:
    # object's own way, which type checkers do not follow for a changed class.
    object.__setattr__(os.environ, "__class__", chosen)
