"""What the engine holds while one run goes on."""

import os
import socket
from dataclasses import dataclass, field
from functools import cache
from typing import NamedTuple

from runnable.catalog import BaseCatalog
from runnable.context import RunContext
from runnable.datastore import (
    AnyParameter,
    BaseRunLogStore,
    CodeIdentity,
    CodeVersions,
    ObjectLoader,
    RunStarted,
)
from runnable.engine.history import History
from runnable.engine.processes import Workers
from runnable.engine.recorder import Recorder, now
from runnable.engine.runtimes import Runtime
from runnable.graph import Overlap
from runnable.pickler import BasePickler
from runnable.secrets import BaseSecrets

DEFAULT_OVERLAP = Overlap("thread", 32)
"""Branches overlap in this process, thirty-two at most."""


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


@dataclass(slots=True, eq=False)
class Session:
    """One run, as the engine sees it."""

    context: RunContext
    services: Services
    runtime: Runtime
    recorder: Recorder
    objects: dict[str, object] | None
    """Objects by key, in a run that keeps them in memory."""
    loader: ObjectLoader
    """Loads the objects of the run."""
    overlap: Overlap
    """How branches overlap, unless their step says otherwise."""
    history: History = field(default_factory=History)
    """What has been recorded before, of a run that is continued."""
    workers: Workers = field(default_factory=Workers)
    """The processes that run branches of it."""


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
