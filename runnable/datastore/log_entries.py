"""What is kept of steps and branches, while they are active and afterwards.

A map may have a hundred thousand branches, and ten thousand runs may be active at once:
as models, their logs would take gigabytes, through which the garbage collector would
walk again and again. While a step or a branch is active, there is an entry for it; when
it has ended, the entry is packed into bytes. What can be derived is left out.
"""

import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from runnable import defaults
from runnable.datastore.long_values import is_long
from runnable.datastore.parameters import parameter_of
from runnable.journal import (
    AnyParameter,
    StoredObject,
    describe_object,
    describe_value,
)

Packed = dict[str, Any]
"""Parameters by name: their fields as a tuple, or the number of a shared one."""


class AttemptEntry(NamedTuple):
    """What is kept of an attempt."""

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


@dataclass(slots=True, eq=False)
class StepEntry:
    """What is kept of a step; its parts may be packed already."""

    name: str
    path: str
    step_type: str
    status: str = defaults.PROCESSING
    message: str = ""
    traceback: str = ""
    attempts: list[tuple[Any, ...]] = field(default_factory=list[tuple[Any, ...]])
    files: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    branches: "dict[str, bytes | BranchEntry]" = field(
        default_factory=dict[str, "bytes | BranchEntry"]
    )

    def pack(self) -> bytes:
        """Turn it into bytes."""
        branches = {
            path: it if isinstance(it, bytes) else it.pack()
            for path, it in self.branches.items()
        }
        fields = (
            *(self.name, self.path, self.step_type, self.status, self.message),
            *(self.traceback, self.attempts, self.files, branches),
        )
        return pickle.dumps(fields, pickle.HIGHEST_PROTOCOL)

    @classmethod
    def unpacked(cls, packed: "bytes | StepEntry") -> "StepEntry":
        """Reverse `pack`, if it is packed."""
        return cls(*pickle.loads(packed)) if isinstance(packed, bytes) else packed


@dataclass(slots=True, eq=False)
class BranchEntry:
    """What is kept of a branch, or of the run; its steps may be packed already."""

    path: str
    status: str = defaults.PROCESSING
    parameters: Packed = field(default_factory=dict[str, Any])
    steps: dict[str, bytes | StepEntry] = field(
        default_factory=dict[str, bytes | StepEntry]
    )

    def pack(self) -> bytes:
        """Turn it into bytes."""
        steps = {
            path: it if isinstance(it, bytes) else it.pack()
            for path, it in self.steps.items()
        }
        fields = self.path, self.status, self.parameters, steps
        return pickle.dumps(fields, pickle.HIGHEST_PROTOCOL)

    @classmethod
    def unpacked(cls, packed: "bytes | BranchEntry") -> "BranchEntry":
        """Reverse `pack`, if it is packed."""
        return cls(*pickle.loads(packed)) if isinstance(packed, bytes) else packed


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
        return {name: self._packed(it) for name, it in parameters.items()}

    def _packed(self, parameter: AnyParameter) -> tuple[Any, ...] | int:
        if isinstance(parameter, StoredObject):
            return (
                *(parameter.kind, parameter.value, parameter.key),
                *(parameter.sha256, parameter.size_bytes),
            )
        if id(parameter) in self._shared:
            return id(parameter)
        return parameter.kind, parameter.value, parameter.text

    def kind(self, packed: tuple[Any, ...] | int) -> str:
        """Return the kind of a parameter."""
        if isinstance(packed, int):
            return self._shared[packed].kind
        kind: str = packed[0]
        return kind

    def parameter(self, packed: tuple[Any, ...] | int) -> AnyParameter:
        """Make the parameter."""
        if isinstance(packed, int):
            return self._shared[packed]
        return parameter_of(*packed)

    def plain(self, packed: tuple[Any, ...] | int) -> dict[str, Any]:
        """Return the parameter as JSON values, as readers see it."""
        if isinstance(packed, int):
            shared = self._shared[packed]
            packed = shared.kind, shared.value
        kind, value, *more = packed
        if kind != "object":
            return {"value": value, "kind": kind, "description": describe_value(value)}
        key, sha256, size_bytes = more
        return {
            "kind": kind,
            "value": value,
            "key": key,
            "sha256": sha256,
            "size_bytes": size_bytes,
            "description": describe_object(key or value),
        }
