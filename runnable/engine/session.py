"""What the engine holds while one run goes on."""

import datetime as dt
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from runnable.catalog import BaseCatalog
from runnable.context import RunContext
from runnable.datastore import (
    AnyParameter,
    BaseRunLogStore,
    CodeIdentity,
    CodeVersions,
    Journal,
    ObjectLoader,
    Record,
    RunStarted,
)
from runnable.engine.runtimes import Runtime
from runnable.pickler import BasePickler
from runnable.secrets import BaseSecrets


def now() -> str:
    """Return the local time, as run logs have it."""
    return dt.datetime.now().isoformat(" ", "microseconds")  # noqa: DTZ005 - as documented


@cache
def _host() -> str:
    return socket.gethostname()


class Services(NamedTuple):
    """The services of a run, resolved once."""

    catalog: BaseCatalog
    secrets: BaseSecrets
    pickler: BasePickler
    run_log_store: BaseRunLogStore
    code_versions: CodeVersions


class Failure(NamedTuple):
    """A step that failed, and why."""

    path: str
    error: BaseException


@dataclass(slots=True)
class Scope:
    """The parameters that a graph of steps reads and writes."""

    path: str
    """The path of the branch; empty for the root."""
    parameters: dict[str, AnyParameter]
    failure: Failure | None = None
    """The latest step that failed."""


@dataclass(slots=True, eq=False)
class Session:
    """One run, as the engine sees it."""

    context: RunContext
    services: Services
    runtime: Runtime
    journal: Journal
    environment: Mapping[str, str]
    """Variables that every step of the run sees."""
    objects: dict[str, object] | None
    """Objects by key, in a run that keeps them in memory."""
    loader: ObjectLoader
    """Loads the objects of the run."""

    def record(self, record: Record) -> None:
        """Keep a record; nothing is done or told before it is kept."""
        self.journal.append(record)


def run_started(
    context: RunContext,
    parameters: dict[str, AnyParameter],
    code: CodeIdentity,
) -> RunStarted:
    """Make the first record of a run."""
    graph = context.dag
    config = context.describe()
    if graph is not None:
        config |= {"dag": graph.described, "dag_hash": graph.hash}
    return RunStarted(
        at=now(),
        run_id=context.run_id,
        tag=context.tag,
        dag_hash=context.dag_hash,
        parameters=parameters,
        run_config=config,
        code=[code],
        host=_host(),
        process_id=os.getpid(),
    )
