"""What the engine holds while one run goes on."""

import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NamedTuple, ParamSpec, Protocol, TypeVar

from runnable.ambient import Console
from runnable.catalog import BaseCatalog
from runnable.clock import seconds
from runnable.context import RunContext
from runnable.datastore import (
    AnyParameter,
    BaseRunLogStore,
    CodeIdentity,
    CodeVersions,
    ObjectLoader,
    Record,
    RunStarted,
)
from runnable.engine.history import History
from runnable.engine.owners import this_process
from runnable.engine.processes import Workers
from runnable.engine.recorder import Recorder, now
from runnable.engine.runtimes import Runtime
from runnable.engine.scopes import Scope
from runnable.engine.traversal import Outcome
from runnable.graph import ExecutableNode, Overlap, Workspace
from runnable.pickler import BasePickler
from runnable.runs import Limiter, Runs
from runnable.secrets import BaseSecrets, Masker
from runnable.under_way import UnderWay

P = ParamSpec("P")
T = TypeVar("T")


class Conditions(NamedTuple):
    """How an executor wants a run to go on."""

    overlap: Overlap = Overlap("thread")
    """How branches overlap, unless their step says otherwise."""
    console: Console = "plain"
    """How the output of tasks is passed on."""
    workspace: Workspace = "shared"
    """Where tasks work, unless they say otherwise."""
    elsewhere: "Elsewhere | None" = None
    """Runs tasks and stubs somewhere else; None for this process."""


AS_USUAL = Conditions()


class Elsewhere(Protocol):
    """Has a step run in another process, which joins the run and records its end."""

    def __call__(
        self, node: ExecutableNode, scope: Scope, session: "Session"
    ) -> Awaitable[Outcome]:
        """Run a step to its end, as often as its policy allows."""
        ...


class Who(NamedTuple):
    """What a run says of the process that begins it or goes on with it."""

    code: CodeIdentity
    in_parts: bool
    """Whether others run the steps."""


class Services(NamedTuple):
    """The services of a run, resolved once."""

    catalog: BaseCatalog
    secrets: BaseSecrets
    pickler: BasePickler
    run_log_store: BaseRunLogStore
    code_versions: CodeVersions
    under_way: UnderWay
    runs: Runs


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
    conditions: Conditions
    masker: Masker
    """Knows the secrets that have been asked for in this run; the context's."""
    history: History
    """What has been recorded before, of a run that is continued."""
    step_turns: Limiter | None = None
    """Where tasks wait, if only so many of the container go on at once."""
    workers: Workers = field(default_factory=Workers)
    """The processes that run parts of it."""
    files: dict[str, tuple[str, str]] = field(default_factory=dict)
    """The branch and the hash that each file was put with last, by name."""
    left_behind: dict[str, set[str]] = field(default_factory=dict)
    """The names of files that failed attempts have put, by the path of the step."""
    stores_objects: bool = False
    """Whether objects may have to be loaded from the catalog."""
    is_recorded_here: bool = False
    """Whether the store is local, so that no loop waits for it."""

    async def off_loop(
        self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Call what may take a while, so that an event loop goes on meanwhile.

        It is not ended when the run is: half of it would be worse than waiting for it.
        """
        return await self.runtime.off_loop(partial(function, *args, **kwargs))

    async def ask(
        self,
        service: object,
        function: Callable[P, T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Call something of a service; see `ask`."""
        if is_local(service):
            return function(*args, **kwargs)
        return await self.off_loop(function, *args, **kwargs)

    async def record(self, record: Record) -> None:
        """Keep a record, then tell it, in the context of the caller."""
        if self.is_recorded_here:
            self.recorder.record(record)
            return
        kept: list[Record] = []

        def keep() -> None:
            self.recorder.keep(record)
            kept.append(record)

        try:
            await self.off_loop(keep)
        finally:
            # Also if the run was ended while this waited.
            for it in kept:
                self.recorder.tell(it)


async def ask(runtime: Runtime, service: object, function: Callable[[], T]) -> T:
    """Call something of a service; off the loop, unless the service is local.

    Args:
        runtime: Knows of a loop.
        service: The service.
        function: What is called.
    """
    if is_local(service):
        return function()
    return await runtime.off_loop(function)


def is_local(service: object) -> bool:
    """Tell whether calls of a service return soon; who does not say it is not."""
    return bool(getattr(service, "is_local", False))


def script() -> str:
    """Return the path of the script that this process runs; empty if it runs none."""
    main = sys.modules.get("__main__")
    file = getattr(main, "__file__", None)
    if not isinstance(file, str) or not file.endswith(".py"):
        return ""
    path, here = Path(file).absolute(), Path.cwd()
    if path.is_relative_to(here):
        return str(path.relative_to(here))
    # A module elsewhere, run by -m, is a tool, such as pytest: not the user's script.
    return "" if getattr(main, "__spec__", None) else str(path)


def run_started(
    context: RunContext,
    parameters: dict[str, AnyParameter],
    who: Who,
) -> RunStarted:
    """Make the first record of a run."""
    graph, owner = context.dag, this_process()
    config = context.describe()
    if path := script():
        config["script"] = path
    if graph is not None:
        config |= {"dag": graph.described, "dag_hash": graph.hash}
    return RunStarted(
        at=now(),
        run_id=context.run_id,
        tag=context.tag,
        dag_hash=context.dag_hash,
        parameters=parameters,
        run_config=config,
        code=[who.code],
        host=owner.host,
        process_id=owner.process_id,
        process_began=owner.process_began,
        epoch_seconds=seconds(),
        in_parts=who.in_parts,
    )
