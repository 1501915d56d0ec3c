"""The environment of a run: everything that running its steps needs, in one object.

`build_environment` is the only place where one is made: for a run, for a single step
that joins a run, and in worker processes.
"""

import logging
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple, ParamSpec, TypeVar

from runnable.capture import Streams
from runnable.concurrency import Heartbeats, Limiter, Periodic, Runs, Threads
from runnable.context import RunContext, Services
from runnable.datastore import CatalogLoader, CodeVersions, Journal
from runnable.engine.files_in_use import FilesInUse
from runnable.engine.kept_log import KeptLog
from runnable.engine.recorder import Recorder
from runnable.engine.run_folder import RunFolder
from runnable.engine.runtimes import Runtime
from runnable.engine.workers.fork_server import ForkServer
from runnable.engine.workers.pool import Workers
from runnable.events import Warned
from runnable.executor import DEFAULT_OPTIONS, ExecutionOptions
from runnable.graph import Interrupt, parent
from runnable.journal import (
    BranchFinished,
    BranchStarted,
    Record,
    RunState,
    StepFinished,
    StepStarted,
)
from runnable.scope import find_run
from runnable.scope.injection import Provide, inject
from runnable.scope.options import NamedLimits
from runnable.secrets import Masker

logger = logging.getLogger(__name__)

Read = Callable[[int], Iterable[Record]]
_OF_STEPS = (StepStarted, StepFinished, BranchStarted, BranchFinished)

P = ParamSpec("P")
T = TypeVar("T")


class FollowedSteps:
    """Reads what other processes record about steps that they run; each record once.

    Args:
        count: How many records there are already.
    """

    def __init__(self, count: int = 0) -> None:
        self._lock = threading.Lock()
        self._count = count
        self._expected: dict[str, list[Record]] = {}

    def expect(self, paths: Iterable[str], read: Read) -> None:
        """Keep the records of steps or branches, and of all in them, from now on.

        Args:
            paths: Their paths; another process is about to run them.
            read: Reads the records of the run after a number.
        """
        with self._lock:
            self._catch_up(read)  # what this process has recorded of them is no news
            self._expected |= {path: [] for path in paths}

    def records_of(self, path: str, read: Read) -> list[Record]:
        """Return what was recorded of a step or a branch; no more is expected.

        Args:
            path: Its path; it has ended.
            read: Reads the records of the run after a number.
        """
        with self._lock:
            self._catch_up(read)
            return self._expected.pop(path)

    def _catch_up(self, read: Read) -> None:
        for record in read(self._count):
            self._count += 1
            if isinstance(record, _OF_STEPS):
                self._list_of(record.path).append(record)

    def _list_of(self, path: str) -> list[Record]:
        """Return where records of a path are kept; nowhere, if they are not needed."""
        while path and path not in self._expected:
            path = parent(path)
        return self._expected[path] if path else []


class Recording(NamedTuple):
    """The journal and the state of a run, or of a part of it."""

    journal: Journal
    state: RunState
    """The state so far."""
    kept: KeptLog | None = None
    """The source of the run log, if this process writes all of it."""
    holds: bool = False
    """Whether records may be written together; see `Recorder`."""


class Shared(NamedTuple):
    """Services that all runs of a container share."""

    active_runs: Runs
    heartbeats: Heartbeats
    code_versions: CodeVersions
    threads: Threads
    """The threads that call functions."""
    io_threads: Threads
    """The threads in which runs on event loops wait for stores."""
    fork_server: ForkServer
    """Forks the worker processes of runs."""
    files_in_use: FilesInUse
    """The files that active runs use in shared folders."""
    periodic: Periodic
    """Saves what steps print, while they run."""
    limiters: tuple[Limiter, ...]
    """Where tasks ask for slots."""

    def limited_by(self, configured: NamedLimits) -> "Shared":
        """Return the same, with the limits of a configuration file.

        Args:
            configured: The limits.

        Raises:
            ConfigurationError: If their folder cannot be used.
        """
        if not configured.limits:
            return self
        limiters = self.active_runs.step_limits.limiters(configured)
        return self._replace(limiters=limiters)


@inject
def shared_of_container(
    *,
    runs: Runs = Provide["runs"],
    heartbeats: Heartbeats = Provide["heartbeats"],
    code_versions: CodeVersions = Provide["code_versions"],
    threads: Threads = Provide["threads"],
    io_threads: Threads = Provide["io_threads"],
    fork_server: ForkServer = Provide["fork_server"],
    files_in_use: FilesInUse = Provide["files_in_use"],
    periodic: Periodic = Provide["periodic"],
) -> Shared:
    """Return what the runs of the container in force share."""
    return Shared(
        runs,
        heartbeats,
        code_versions,
        threads,
        io_threads,
        fork_server,
        files_in_use,
        periodic,
        runs.step_limits.limiters(),
    )


@dataclass(slots=True, eq=False)
class RunEnvironment:
    """Everything that running the steps of one run needs."""

    context: RunContext
    services: Services
    """The services of the run."""
    masker: Masker
    """Masks the secrets that were read in this run."""
    run_id: str
    runtime: Runtime
    recorder: Recorder
    state: RunState
    """The state of the run, as recorded."""
    kept: KeptLog | None
    """The source of its run log, if this process writes all of it."""
    options: ExecutionOptions
    loader: CatalogLoader
    """Loads the stored objects of the run."""
    objects: dict[str, object] | None
    """Objects by key, in a run that keeps them in memory."""
    limiters: tuple[Limiter, ...]
    """Where tasks ask for slots; empty if nothing is limited."""
    interrupt: Interrupt
    """How functions in threads are interrupted, unless a task chooses."""
    steps_apart: bool
    """Whether other steps run in other processes, which get what is recorded."""
    is_recorded_here: bool
    """Whether the store is local, so that no event loop has to wait for it."""
    stores_objects: bool = False
    """Whether objects may have to be loaded from the catalog."""
    periodic: Periodic = field(default_factory=Periodic)
    """Saves what steps print, while they run."""
    workers: Workers = field(default_factory=Workers)
    """The worker processes of the run."""
    run_folder: RunFolder = field(default_factory=RunFolder)
    """Where tasks work that have the run's folder."""
    files: dict[str, tuple[str, str]] = field(
        default_factory=dict[str, tuple[str, str]]
    )
    """The branch and the hash that each file was put with last, by name."""
    followed: FollowedSteps = field(default_factory=FollowedSteps)
    """Steps of the run that other processes run."""
    warned: dict[tuple[str, ...], str] = field(
        default_factory=dict[tuple[str, ...], str]
    )
    """The step for which something was warned of, by what it is."""
    console: Streams | None = None
    """Where output is passed on to, instead of the streams of this process."""
    left_behind: dict[str, set[str]] = field(default_factory=dict[str, set[str]])
    """The names of files that failed attempts have put, by the path of the step."""

    def records_after(self, number: int) -> Iterable[Record]:
        """Return the records of the run after a number."""
        return self.services.run_log_store.read(self.run_id, number)

    def close(self) -> None:
        """End worker processes and remove the folder; calling it again does nothing."""
        for elsewhere in (self.options.cluster, self.options.launcher):
            if elsewhere is not None:
                elsewhere.close()
        self.workers.close()
        self.run_folder.remove()

    def warn(self, path: str, text: str) -> None:
        """Warn of something that a step does; in the log, and in the events of the run.

        Args:
            path: Of the step; empty for the run.
            text: What is odd, and what to do.
        """
        if path:
            logger.warning("Step %r: %s", path, text)
        else:
            logger.warning("Run %r: %s", self.run_id, text)
        self.recorder.notify(Warned(path, text))

    def warn_once(self, about: tuple[str, ...], path: str, text: str) -> None:
        """Warn of something that many branches may do, for the first of them.

        Args:
            about: What it is, such as a command and a name.
            path: Of the step.
            text: What is odd, and what to do.
        """
        if self.warned.setdefault(about, path) == path:
            self.warn(path, text)

    async def off_loop(
        self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Call what may take a while, so that an event loop is not blocked meanwhile.

        It is not interrupted when the run is cancelled: half of it would be worse than
        waiting for it.
        """
        return await self.runtime.off_loop(partial(function, *args, **kwargs))

    async def ask(
        self,
        service: object,
        function: Callable[P, T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Call a method of a service; off the loop, unless the service is local."""
        if is_local(service):
            return function(*args, **kwargs)
        return await self.off_loop(function, *args, **kwargs)

    async def record(self, record: Record, *, more: bool = False) -> None:
        """Write a record, then notify subscribers, in the context of the caller.

        Args:
            record: What has happened.
            more: Whether another record follows before anything of the user runs, or
                `flush` is called: then they may be written together.
        """
        if more and self.recorder.hold(record):
            return
        if self.is_recorded_here:
            self.recorder.record(record)
            return
        written: list[Record] = []

        def write() -> None:
            self.recorder.write(record)
            written.append(record)

        try:
            await self.off_loop(write)
        finally:
            # Also if the run was cancelled while this waited.
            for it in written:
                self.recorder.notify(it)

    async def flush(self) -> None:
        """Write what is held, before something is waited for."""
        if self.is_recorded_here:
            self.recorder.flush()
        else:
            await self.off_loop(self.recorder.flush)


def build_environment(
    context: RunContext,
    runtime: Runtime,
    recording: Recording,
    *,
    options: ExecutionOptions = DEFAULT_OPTIONS,
    limiters: tuple[Limiter, ...] = (),
    steps_apart: bool = False,
    shared: Shared | None = None,
) -> RunEnvironment:
    """Make the environment of a run, of a single step, or of a worker process.

    Args:
        context: Describes the run; has its services.
        runtime: How functions are called.
        recording: What it is recorded in.
        options: How the executor wants steps to be run.
        limiters: Where tasks ask for slots.
        steps_apart: Whether other steps run in other processes.
        shared: What all runs of the container share; a worker process has none.
    """
    services, in_memory = context.services, context.return_objects
    stores_objects = context.object_serialisation and services.catalog.keeps_objects
    journal, state, kept, holds = recording
    records = kept.copy if kept is not None else None
    run = find_run()
    if run is not None and run.context is context:
        run.state, run.limiters = state, limiters
    return RunEnvironment(
        context=context,
        services=services,
        masker=context.masker,
        run_id=context.run_id,
        runtime=runtime,
        recorder=Recorder(
            journal, context.subscribers, state, kept=records, holds=holds
        ),
        state=state,
        kept=kept,
        options=options,
        loader=CatalogLoader(
            context.run_id, services.catalog, services.pickler, in_memory
        ),
        objects=None if stores_objects else in_memory,
        limiters=limiters,
        interrupt=shared.active_runs.interrupt if shared is not None else "raise",
        steps_apart=steps_apart,
        is_recorded_here=is_local(services.run_log_store),
        stores_objects=stores_objects and state.count > 1,
        run_folder=RunFolder(context.run_folder),
        followed=FollowedSteps(state.count),
        periodic=shared.periodic if shared is not None else Periodic(),
        workers=Workers(shared.fork_server if shared is not None else None),
    )


def is_local(service: object) -> bool:
    """Return True if calls of a service return soon; False if unknown."""
    return bool(getattr(service, "is_local", False))
