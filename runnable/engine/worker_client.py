"""Run a branch or a step in a worker process: the side that has the run.

Theory of operation. A worker is a Python process of its own, connected by a socket; it
is forked when there is work for it, does more for the same run, and ends when the
socket is closed, also by this process's death. It gets the graph, the parameters and
the services of branches, pickled, and runs them as this process would, a chunk of them
one after the other; or a step, which then has the working directory to itself. Its
records are sent here and written to the run's journal: a journal has one writer,
whatever its store, and what is kept does not depend on how a worker ends. A step starts
when its start is written, and all that was sent before. Output and events come the same
way. The script that runs is not imported again; what it defines
travels by value.

A chunk holds the slots of its most demanding step from its start to its end: one, and
those that steps take by name. Its tasks share them there.
"""

import tempfile
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Protocol

from runnable import defaults
from runnable.concurrency import ONE, Wants
from runnable.datastore import BranchFinished, StepFinished, StepStarted
from runnable.engine.chunks import ChunkSize, Progress, StopRemote, path_of
from runnable.engine.cluster_client import ClusterCarrier
from runnable.engine.conversation import WorkerCarrier
from runnable.engine.environment import RunEnvironment
from runnable.engine.errors import WorkerError
from runnable.engine.fan_out.fan_out import BranchEnd
from runnable.engine.parameter_scope import Failure, ParameterScope
from runnable.engine.recorder import now
from runnable.engine.replaced_files import close_dead_attempts
from runnable.engine.retry import wait_before_retry
from runnable.engine.run_folder import is_needed
from runnable.engine.slots import with_slots
from runnable.engine.workers.pickling import dumps
from runnable.engine.workers.protocol import Assignment, Chunk, Common, Done
from runnable.graph import FailNode, Graph, Overlap, TaskNode, most, parent
from runnable.journal import RunNode, StoredObject
from runnable.scope import find_run
from runnable.system.working_directory import working_directory
from runnable.tasks import Call

Ended = Callable[[Assignment, BranchEnd], object]
"""Called with a branch that has ended."""


class Carrier(Protocol):
    """Carries chunks to other processes."""

    def carry(
        self,
        progress: Progress,
        chunk: Chunk,
        pickled: tuple[bytes, bytes],
        stop: StopRemote,
    ) -> None:
        """Have a chunk run, and take what comes of it; see `ClusterCarrier.carry`."""
        ...


class _Remote:
    """Runs the branches of one step, or that step, in worker processes.

    Args:
        env: The environment of the run.
        outer: The scope around those of the branches.
    """

    def __init__(
        self, env: RunEnvironment, outer: ParameterScope | None = None
    ) -> None:
        self._env = env
        self._outer = outer
        self._carrier: Carrier = WorkerCarrier(env)
        if env.options.cluster is not None:
            self._carrier = ClusterCarrier(env, env.options.cluster)
        self._common: bytes | None = None
        self._lock = threading.Lock()
        self._died: dict[str, tuple[str, int, int]] = {}
        """The step that was running when a worker died, by branch."""
        self.has_died = False
        """Whether the last process has ended in the middle of its work."""

    async def _run(self, progress: Progress, folder: str = "") -> None:
        """Run a chunk; what a worker that dies has left, another one runs."""
        self.has_died = False
        try:
            while progress.left:
                await self._carry(progress, folder)
                if progress.raised is not None:
                    raise progress.raised
        finally:
            for it in progress.left:
                await self._close(it, defaults.CANCELLED)

    async def _carry(self, progress: Progress, folder: str) -> None:
        stop = StopRemote()
        call = Call(self._send, (progress, folder, stop), stop=stop)
        try:
            await self._env.runtime.invoke(call)
        except WorkerError as error:
            if len(progress.left) > 1 and not progress.has_started:
                # One of them cannot be sent, or be run there: which one?
                alone, *others = progress.left
                progress.left = deque([alone])
                await self._carry(progress, folder)
                progress.left.extend(others)
                return
            await self._fail(progress, error)

    async def _fail(self, progress: Progress, error: WorkerError) -> None:
        """Have the first one that is left fail, which no process has run to its end."""
        first, env = progress.left[0], self._env
        if progress.has_started:
            self.has_died = True
            await env.off_loop(self._settle, path_of(first))
            if await self._can_go_on(first):
                progress.has_started = False
                return
        elif isinstance(first.work, TaskNode):
            await self._record_failure(first.work, path_of(first), error)
        await self._close(first, defaults.FAIL)
        failure = Failure(path_of(first), error)
        progress.done(Done(False, first.scope.parameters, failure, {}))

    async def _can_go_on(self, branch: Assignment) -> bool:
        """Return whether another worker is to continue a branch whose worker has died.

        The step that it was running has failed; it is tried again as often as its
        policy allows, or its failure path is taken.
        """
        scope = self._env.state.scope(branch.scope.path)
        if not isinstance(branch.work, Graph) or scope is None or not scope.steps:
            return False
        latest = next(reversed(scope.steps.values()))
        died = latest.path, latest.started.attempt, latest.tries
        if latest.status != defaults.FAIL or died == self._died.get(scope.path):
            return False
        self._died[scope.path] = died
        node = branch.work.nodes[latest.started.name]
        if isinstance(node, TaskNode) and latest.tries < node.policy.max_attempts:
            delay = node.policy.delay
            await wait_before_retry(delay, latest.tries, self._env.runtime)
            latest.status = ""  # so that it is tried again
            return True
        *_, last = self._env.state.walk(branch.work, scope.path)
        return isinstance(last, RunNode) and not isinstance(last.node, FailNode)

    async def _close(self, assignment: Assignment, status: str) -> None:
        """Record the end of a branch that is open."""
        path = assignment.scope.path
        is_branch = isinstance(assignment.work, Graph)
        if is_branch and path in self._env.state.open:
            await self._env.record(BranchFinished(now(), path, status))

    def _take(self, assignment: Assignment, done: Done) -> None:
        """Take over what something has set, and why it has failed."""
        scope = assignment.scope
        scope.parameters = done.parameters
        scope.failure = done.failure or scope.failure
        if self._env.objects is not None:
            self._env.objects.update(done.objects)

    def _settle(self, path: str) -> None:
        """Restore the files that a process has replaced that can no longer do so."""
        services, run_id = self._env.services, self._env.run_id
        if services.catalog.open_attempts(run_id):
            state = services.run_log_store.state(run_id)
            paths = [step.path for step in state.steps_below(path)]
            close_dead_attempts(services.catalog, run_id, state, paths)

    async def _record_failure(
        self, node: TaskNode, path: str, error: WorkerError
    ) -> None:
        """Record that a step has failed before any process could run it."""
        step = self._env.state.step(path)
        number = step.started.attempt + 1 if step is not None else 1
        record, reason = self._env.record, str(error)
        await record(StepStarted(now(), path, node.name, node.node_type, number))
        await record(StepFinished(now(), path, defaults.FAIL, {}, [], number, reason))

    def _send(self, progress: Progress, folder: str, stop: StopRemote) -> None:
        # Pickling and starting a process take a while: not on an event loop.
        chunk = self._chunk(progress, folder)
        content, common = _dump(chunk, progress), self._pickle_common(progress)
        self._carrier.carry(progress, chunk, (common, content), stop)

    def _chunk(self, progress: Progress, folder: str) -> Chunk:
        env, left = self._env, list(progress.left)
        objects: dict[str, object] = {}
        for it in left:
            objects |= _objects_for(it.scope, env)
        first = left[0]
        if isinstance(first.work, TaskNode):
            state = env.state.excerpt(path_of(first))
        else:
            paths = [it.scope.path for it in left]
            state = env.state.excerpt(parent(first.scope.path), paths)
        sent = [it._replace(scope=_sent(it.scope, folder)) for it in left]
        slots = _slots_of([it.work for it in left], env)
        return Chunk(sent, objects, state, env.masker.known, folder, slots)

    def _pickle_common(self, progress: Progress) -> bytes:
        with self._lock:
            if self._common is None:
                outer, options = self._outer, self._env.options
                dag = self._env.context.dag
                if dag is not None and is_needed(dag, options.workspace):
                    self._env.context.run_folder = self._env.run_folder.path()
                # Branches within branches have processors enough in threads.
                overlap = Overlap("thread", options.overlap.max_workers)
                common = Common(
                    outer.without_failures() if outer is not None else None,
                    self._env.context,
                    _container_class(progress.name),
                    options._replace(overlap=overlap, cluster=None),
                )
                self._common = _dump(common, progress)
            return self._common


class RemoteBranches(_Remote):
    """Runs the branches of one step in worker processes."""

    def __init__(self, outer: ParameterScope, env: RunEnvironment) -> None:
        super().__init__(env, outer)

    async def run(
        self, branches: Sequence[Assignment], ended: Ended, size: ChunkSize
    ) -> None:
        """Run branches one after the other in a worker process.

        Args:
            branches: Each one's scope gets what the branch sets, and why it failed.
            ended: Called when one has ended. A worker that dies fails the branch that
                it was running.
            size: Learns how long they took.
        """

        def take(branch: Assignment, done: Done) -> None:
            self._take(branch, done)
            ended(branch, BranchEnd(done.succeeded, done.parameters))

        progress, env = Progress(branches, take), self._env
        await env.flush()
        wants = _slots_of([it.work for it in branches], env)
        action = partial(self._run, progress)
        await with_slots(env.limiters, wants, env.runtime, action)
        progress.report_to(size)


class RemoteStep(_Remote):
    """Runs a step on the cluster; or in a worker process, in a directory of its own."""

    async def run(self, node: TaskNode, scope: ParameterScope) -> None:
        """Run the step.

        Args:
            node: The step.
            scope: The parameters that it reads; gets what it returns, and why it
                failed. A worker that dies fails the step.
        """
        self._outer = scope.outer
        await self._env.flush()
        if self._env.options.cluster is not None:
            await self._run(Progress([Assignment(node, scope)], self._take))
            return
        with tempfile.TemporaryDirectory(
            prefix="runnable-", ignore_cleanup_errors=True
        ) as folder:
            # There, it is a step like any other.
            shared = replace(node, policy=node.policy._replace(workspace="shared"))
            await self._run(Progress([Assignment(shared, scope)], self._take), folder)


def _sent(scope: ParameterScope, folder: str) -> ParameterScope:
    """Return a scope as a worker gets it."""
    scope = scope.alone()
    if folder:
        here = str(working_directory() or "")
        scope.environment = {**scope.environment, defaults.CALLER_DIRECTORY: here}
    return scope


def _slots_of(works: Sequence[Graph | TaskNode], env: RunEnvironment) -> Wants:
    """Return the slots that are held while some work is done, one after the other."""
    left = most([ONE, *map(_limits_of, works)])
    return most(it.part_of(left) for it in env.limiters)


def _limits_of(work: Graph | TaskNode) -> Wants:
    return work.limits if isinstance(work, Graph) else work.limits()


def _objects_for(scope: ParameterScope, env: RunEnvironment) -> dict[str, object]:
    """Return the objects in memory that a scope can read."""
    objects = env.objects
    if not objects:
        return {}
    return {
        parameter.key: objects[parameter.key]
        for parameter in scope.visible().values()
        if isinstance(parameter, StoredObject) and parameter.key in objects
    }


def _dump(content: Common | Chunk, progress: Progress) -> bytes:
    try:
        return dumps(content)
    except Exception as error:
        # Whatever the users' objects raise when they are pickled.
        problem = (
            f"{progress.name} cannot be sent to a worker process: "
            f"{type(error).__name__}: {error}. With parallelism: thread, and in a "
            "shared workspace, nothing is sent."
        )
        raise WorkerError(problem) from error


def _container_class(name: str) -> type[object] | None:
    run = find_run()
    if run is None or run.container is None:
        return None
    # An instance is of another class than the one that was called to make it.
    found: type[object] = getattr(
        run.container, "declarative_parent", type(run.container)
    )
    if found.__module__ == "__main__" or "<locals>" in found.__qualname__:
        # By value, dependency-injector's containers arrive empty.
        raise WorkerError(
            f"{name} cannot be sent to a worker process: its container "
            f"{found.__qualname__} must be defined in a module that can be imported"
        )
    return found
