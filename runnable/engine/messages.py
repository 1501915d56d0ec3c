"""What a run and its worker processes say to each other."""

from collections.abc import Mapping
from typing import NamedTuple

from runnable.catalog import BaseCatalog
from runnable.context import RunContext
from runnable.datastore import AnyParameter, BaseRunLogStore, Record
from runnable.engine.history import History
from runnable.engine.scopes import Failure, Scope
from runnable.engine.session import Conditions
from runnable.events import Event
from runnable.graph import Graph, TaskNode
from runnable.pickler import BasePickler
from runnable.secrets import BaseSecrets


class Common(NamedTuple):
    """To a worker, once for all parts of one step that it runs."""

    outer: Scope | None
    """What the scopes of the parts stand in."""
    context: RunContext
    catalog: BaseCatalog
    secrets: BaseSecrets
    pickler: BasePickler
    run_log_store: BaseRunLogStore
    container: type[object] | None
    """Makes what answers the run's markers, if that is not the default one."""
    keeps_objects_in_memory: bool
    conditions: Conditions


class Assignment(NamedTuple):
    """To a worker: run this, and let me know of everything."""

    part: Graph | TaskNode
    """The graph of a branch, or a step."""
    scope: Scope
    """Without the scope around it, which is in common."""
    objects: Mapping[str, object]
    """Objects by key, in a run that keeps them in memory."""
    history: History
    secrets: frozenset[str]
    """Those that are to be masked already."""
    folder: str = ""
    """The working directory, if it is to be another one."""


class Work(NamedTuple):
    """To a worker: an assignment, packed."""

    common: bytes | None
    """What it shares with the one before, if that is not the same."""
    assignment: bytes


class Written(NamedTuple):
    """From a worker: keep this record, and say when it is kept."""

    record: Record


class Told(NamedTuple):
    """From a worker: tell this event."""

    event: Event


class Output(NamedTuple):
    """From a worker: this was written to a standard stream."""

    stream: str
    """`stdout` or `stderr`."""
    text: str


class Refused(NamedTuple):
    """From a worker: the branch cannot be run here."""

    why: str


class Done(NamedTuple):
    """From a worker: the branch has ended."""

    succeeded: bool
    parameters: dict[str, AnyParameter]
    """What it has set."""
    failure: Failure | None
    objects: Mapping[str, object]
    """What it has made, in a run that keeps objects in memory."""
    secrets: frozenset[str]
    """Those that are to be masked from now on."""


Message = Written | Told | Output | Refused | Done
"""What a worker says; after `Written`, it waits for an answer."""
