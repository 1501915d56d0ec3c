"""`os.environ` as the code of a step sees it, without writing to it.

Theory of operation. While runs are active, the class of the one `os.environ` object is
a subclass of its own class, whatever name it is known by. Reading in the code of a step
looks at the step's own variables first; everybody else, other threads and other runs
among them, sees the real environment. Its data are never touched, so `getenv` in C and
child processes that inherit it see no change; those get `os.environ.copy()`.
"""

import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from runnable.scope import StepScope, current_step

if TYPE_CHECKING:
    from _collections_abc import dict_keys

    _Base = os._Environ[str]  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]  # the class of os.environ
else:
    _Base = type(os.environ)


def _owner(key: str) -> StepScope | None:
    """Return the current step, if a variable of this name is its own."""
    step = current_step()
    return step if step is not None and key in step.names else None


class OverlaidEnvironment(_Base):
    """The environment, with the current step's variables on top.

    A name that a step was given stays its own, also after it was deleted, so that code
    which saves and restores variables writes no secret to the real environment.
    """

    # The base class is named, since super() fails in a thread that is within a method
    # while another one takes the overlay away.

    def __getitem__(self, key: str) -> str:
        step = _owner(key)
        return _Base.__getitem__(self, key) if step is None else step.environment[key]

    def __setitem__(self, key: str, value: str) -> None:
        step = _owner(key)
        if step is None:
            _Base.__setitem__(self, key, value)
        else:
            step.environment[key] = value

    def __delitem__(self, key: str) -> None:
        step = _owner(key)
        if step is None:
            _Base.__delitem__(self, key)
        else:
            del step.environment[key]

    def __iter__(self) -> Iterator[str]:
        step = current_step()
        real = _Base.__iter__(self)
        if step is None:
            return real
        return iter([
            *(name for name in real if name not in step.names),
            *step.environment,
        ])

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def copy(self) -> dict[str, str]:
        """Return a copy, which after the step is one of the real environment."""
        step = current_step()
        if step is None:
            return dict(self)
        real = {name: _Base.__getitem__(self, name) for name in _Base.__iter__(self)}
        return _CopyOfStep(dict(self), real, step)


class _CopyOfStep(dict[str, str]):
    """A copy of the environment that a step has made.

    `mock.patch.dict(os.environ)` restores such a copy when it is stopped. If that is
    after the step, the variables of the step must not get to the real environment.
    """

    def __init__(
        self, seen: Mapping[str, str], real: dict[str, str], step: StepScope
    ) -> None:
        super().__init__(seen)
        self._real = real
        self._step = step

    def keys(self) -> "dict_keys[str, str]":
        """Return the names."""
        return dict.fromkeys(self, "").keys()

    def __iter__(self) -> Iterator[str]:
        names = super().__iter__()
        return iter([it for it in names if self._is_shown(it) or it in self._real])

    def __getitem__(self, key: str) -> str:
        return super().__getitem__(key) if self._is_shown(key) else self._real[key]

    def _is_shown(self, key: str) -> bool:
        return key not in self._step.names or not self._step.output.is_over


def environment_of_step() -> dict[str, str]:
    """Return what a child process of the current step's code is to see."""
    return os.environ.copy()


def real_environment() -> dict[str, str]:
    """Return the environment of the process, as a program sees that is no step."""
    names = _Base.__iter__(os.environ)
    return {name: _Base.__getitem__(os.environ, name) for name in names}


def replace_environment(variables: Mapping[str, str]) -> None:
    """Set the environment of the process: for a worker that continues another run.

    Args:
        variables: All there are.
    """
    for name in real_environment().keys() - variables.keys():
        del os.environ[name]
    os.environ.update(variables)


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
