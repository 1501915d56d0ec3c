"""Steps and branches, kept as bytes until one of them is read.

A map may have a hundred thousand branches, and a run log has them all: as models they
would take a gigabyte, through which the garbage collector would walk again and again.
While a run log is built, a branch is a dictionary of what its model has as fields; when
it has ended, it is packed into bytes, and what can be derived is left out.
"""

import pickle
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, TypeVar

from runnable.datastore.long_values import is_long
from runnable.datastore.parameters import from_plain, to_plain
from runnable.datastore.run_log import BranchLog, StepLog
from runnable.journal import AnyParameter, CodeIdentity, ObjectLoader, StoredObject

T = TypeVar("T")
State = dict[str, Any]
"""The fields of a model by name; parameters are models, branches may be packed."""

_RECENT = 32
_SHOWN = 3
_PARAMETERS = ("input_parameters", "output_parameters")


class SharedValues:
    """Long values that many steps are given: they are packed with none of them."""

    def __init__(self) -> None:
        self._shared: dict[int, AnyParameter] = {}

    def add(self, parameter: AnyParameter) -> None:
        """Share a parameter from now on, if its value is long."""
        if id(parameter) not in self._shared and is_long(parameter):
            self._shared[id(parameter)] = parameter

    def pack(self, parameters: Mapping[str, AnyParameter]) -> tuple[State, State]:
        """Return the plain form of parameters, and the numbers of the shared ones."""
        shared = {
            name: id(it) for name, it in parameters.items() if id(it) in self._shared
        }
        own = {name: it for name, it in parameters.items() if name not in shared}
        return to_plain(own), shared

    def unpack(self, packed: tuple[State, State]) -> dict[str, AnyParameter]:
        """Reverse `pack`."""
        own, shared = packed
        return from_plain(own) | {name: self._shared[it] for name, it in shared.items()}


def pack_branch(branch: State, shared: SharedValues) -> bytes:
    """Pack the state of a branch, and of the steps in it.

    Args:
        branch: Its fields.
        shared: Values that are not packed with it.
    """
    plain = {
        **branch,
        "parameters": shared.pack(branch["parameters"]),
        "steps": {
            path: _plain_step(it, shared) for path, it in branch["steps"].items()
        },
    }
    return pickle.dumps(plain, pickle.HIGHEST_PROTOCOL)


def _plain_step(step: State, shared: SharedValues) -> State:
    return {
        **step,
        "attempts": [_plain_attempt(attempt, shared) for attempt in step["attempts"]],
        "branches": {
            path: it if isinstance(it, bytes) else pack_branch(it, shared)
            for path, it in step["branches"].items()
        },
    }


def _plain_attempt(attempt: State, shared: SharedValues) -> State:
    plain = {key: shared.pack(attempt[key]) for key in _PARAMETERS if key in attempt}
    derived = {"code_identities", "user_defined_metrics"}
    return {key: it for key, it in (attempt | plain).items() if key not in derived}


class Unpacker(NamedTuple):
    """Unpacks steps and branches, with what is the same for a whole run."""

    code: list[CodeIdentity]
    loader: ObjectLoader | None
    shared: SharedValues

    def steps(self, steps: Mapping[str, State]) -> "FrozenMapping[StepLog]":
        """Make what a run log has as its steps."""
        packed = {
            path: pickle.dumps(_plain_step(step, self.shared), pickle.HIGHEST_PROTOCOL)
            for path, step in steps.items()
        }
        return FrozenMapping(packed, self._step_log)

    def branch_state(self, packed: bytes) -> State:
        """Make the state of a branch, as it was before it was packed."""
        branch: State = pickle.loads(packed)
        branch["parameters"] = self._bound(branch["parameters"])
        for step in branch["steps"].values():
            self._restore_attempts(step)
        return branch

    def _branch_log(self, packed: bytes) -> BranchLog:
        branch = self.branch_state(packed)
        for step in branch["steps"].values():
            step["branches"] = FrozenMapping(step["branches"], self._branch_log)
        return BranchLog.model_validate(branch)

    def _step_log(self, packed: bytes) -> StepLog:
        step: State = pickle.loads(packed)
        self._restore_attempts(step)
        step["branches"] = FrozenMapping(step["branches"], self._branch_log)
        return StepLog.model_validate(step)

    def _restore_attempts(self, step: State) -> None:
        for attempt in step["attempts"]:
            self._restore(attempt)

    def _restore(self, attempt: State) -> None:
        for key in _PARAMETERS:
            if key in attempt:
                attempt[key] = self._bound(attempt[key])
        attempt["code_identities"] = self.code
        attempt["user_defined_metrics"] = metrics_of(
            attempt.get("output_parameters", {})
        )

    def _bound(self, packed: tuple[State, State]) -> dict[str, AnyParameter]:
        parameters = self.shared.unpack(packed)
        bind_all(parameters, self.loader)
        return parameters


def metrics_of(parameters: Mapping[str, AnyParameter]) -> dict[str, AnyParameter]:
    """Return those that are metrics."""
    return {name: it for name, it in parameters.items() if it.kind == "metric"}


def bind_all(
    parameters: Mapping[str, AnyParameter], loader: ObjectLoader | None
) -> None:
    """Set the loader of all objects among some parameters."""
    for parameter in parameters.values():
        if isinstance(parameter, StoredObject) and loader is not None:
            parameter.bind(loader)


class FrozenMapping(Mapping[str, T]):
    """A mapping whose values are made when they are looked at; the latest are kept.

    Args:
        packed: Bytes by key.
        unpack: Makes a value of its bytes.

    Example:
        >>> frozen = FrozenMapping({"a": b"1"}, int)
        >>> frozen["a"], list(frozen), frozen == {"a": 1}
        (1, ['a'], True)
    """

    def __init__(self, packed: dict[str, bytes], unpack: Callable[[bytes], T]) -> None:
        self._packed = packed
        self._unpack = unpack
        self._recent: dict[str, T] = {}

    def __getitem__(self, key: str) -> T:
        try:
            return self._recent[key]
        except KeyError:
            value = self._unpack(self._packed[key])
        if len(self._recent) >= _RECENT:
            self._recent.clear()
        self._recent[key] = value
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(self._packed)

    def __len__(self) -> int:
        return len(self._packed)

    def __contains__(self, key: object) -> bool:
        return key in self._packed

    def __repr__(self) -> str:
        more = ", ..." if len(self) > _SHOWN else ""
        return f"<{len(self)} logs: {', '.join(list(self)[:_SHOWN])}{more}>"

    def __reduce__(self) -> tuple[type[dict[str, T]], tuple[dict[str, T]]]:
        # Its loader belongs to this process.
        return dict, (dict(self),)
