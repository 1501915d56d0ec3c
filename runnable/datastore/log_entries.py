"""Entries of a run log for steps and branches, active and ended.

A map may have a hundred thousand branches, and ten thousand runs may be active at once:
as models, their logs would take gigabytes, through which the garbage collector would
walk again and again. While a step or a branch is active, there is an entry for it; when
it has ended, the entry is packed into bytes. What can be derived is left out.
"""

import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self, TypeVar

from runnable import defaults
from runnable.datastore.long_values import is_long
from runnable.datastore.parameters import from_plain, to_plain
from runnable.journal import (
    AnyParameter,
    describe_object,
    describe_value,
)
from runnable.system.moments import moment_of

Packed = dict[str, Any]
"""Parameters by name: their plain form, or the number of a shared one."""


class AttemptEntry(NamedTuple):
    """The entry of an attempt."""

    number: int
    start: str
    code: int
    """The position of its code identities among those of the run."""
    end: str = ""
    status: str = defaults.PROCESSING
    message: str = ""
    traceback: str = ""
    cached_from: str = ""
    inputs: Packed = {}
    outputs: Packed = {}

    @property
    def seconds(self) -> float:
        """How long it took; 0 while it is active."""
        if not self.start or not self.end:
            return 0.0
        return (moment_of(self.end) - moment_of(self.start)).total_seconds()


class _Entry:
    """Something that can be packed into bytes."""

    __slots__ = ()

    def _fields(self) -> tuple[Any, ...]:
        """Return its fields, packed as well."""
        raise NotImplementedError

    def pack(self) -> bytes:
        """Turn it into bytes."""
        return pickle.dumps(self._fields(), pickle.HIGHEST_PROTOCOL)

    @classmethod
    def unpacked(cls, packed: "bytes | Self") -> "Self":
        """Reverse `pack`, if it is packed."""
        return cls(*pickle.loads(packed)) if isinstance(packed, bytes) else packed


Entry = TypeVar("Entry", bound=_Entry)


def _packed(entries: Mapping[str, bytes | Entry]) -> dict[str, bytes]:
    return {
        path: it if isinstance(it, bytes) else it.pack() for path, it in entries.items()
    }


@dataclass(slots=True, eq=False)
class StepEntry(_Entry):
    """The entry of a step; its parts may be packed already."""

    name: str
    path: str
    step_type: str
    status: str = defaults.PROCESSING
    message: str = ""
    traceback: str = ""
    attempts: list[AttemptEntry] = field(default_factory=list[AttemptEntry])
    files: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    branches: "dict[str, bytes | BranchEntry]" = field(
        default_factory=dict[str, "bytes | BranchEntry"]
    )

    def _fields(self) -> tuple[Any, ...]:
        return (
            *(self.name, self.path, self.step_type, self.status, self.message),
            *(self.traceback, self.attempts, self.files, _packed(self.branches)),
        )


@dataclass(slots=True, eq=False)
class BranchEntry(_Entry):
    """The entry of a branch, or of the run; its steps may be packed already."""

    path: str
    status: str = defaults.PROCESSING
    parameters: Packed = field(default_factory=dict[str, Any])
    steps: dict[str, bytes | StepEntry] = field(
        default_factory=dict[str, bytes | StepEntry]
    )

    def _fields(self) -> tuple[Any, ...]:
        return self.path, self.status, self.parameters, _packed(self.steps)


class SharedValues:
    """Long values that many steps are given: they are packed with none of them."""

    __slots__ = ("_shared",)

    def __init__(self) -> None:
        self._shared: dict[int, AnyParameter] = {}

    def add(self, parameter: AnyParameter) -> None:
        """Share a parameter from now on, if its value is long."""
        if id(parameter) not in self._shared and is_long(parameter):
            self._shared[id(parameter)] = parameter

    def pack(self, parameters: Mapping[str, AnyParameter]) -> Packed:
        """Return what is kept of parameters."""
        packed: Packed = to_plain(parameters)
        for name, parameter in parameters.items():
            if id(parameter) in self._shared:
                packed[name] = id(parameter)
        return packed

    def kind(self, packed: dict[str, Any] | int) -> str:
        """Return the kind of a parameter."""
        kind: str = self._plain(packed)["kind"]
        return kind

    def parameters(self, packed: Packed) -> dict[str, AnyParameter]:
        """Reverse `pack`."""
        own = from_plain({
            name: it for name, it in packed.items() if not isinstance(it, int)
        })
        return {
            name: own[name] if name in own else self._shared[it]
            for name, it in packed.items()
        }

    def shown(self, packed: dict[str, Any] | int) -> dict[str, Any]:
        """Return a parameter as JSON values, as readers see it."""
        plain = self._plain(packed)
        kind, value = plain["kind"], plain["value"]
        if kind != "object":
            return {"value": value, "kind": kind, "description": describe_value(value)}
        return {**plain, "description": describe_object(plain["key"] or value)}

    def _plain(self, packed: dict[str, Any] | int) -> dict[str, Any]:
        if not isinstance(packed, int):
            return packed
        plain: dict[str, Any] = to_plain({"": self._shared[packed]})[""]
        return plain
