"""Run a branch or a step in a worker process: the side that has the run.

Theory of operation. A worker is a Python process of its own, connected by a socket; it
is forked when there is work for it, does more for the same run, and ends when the
socket is closed, also by this process's death. It gets the graph, the parameters and
the services of a branch, pickled, and runs it as this process would; or a step, which
then has the working directory to itself. Its records are sent here, written to the
run's journal, and acknowledged before the worker continues: a journal has one writer,
whatever its store, and what is kept does not depend on how a worker ends. Output and
events come the same way. The script that runs is not imported again; what it defines
travels by value.

A worker holds one place of the run's limit of active tasks from its start to its end,
and runs one task at a time then.
"""

import contextlib
import sys
import tempfile
import threading
from dataclasses import replace
from functools import partial
from typing import NamedTuple, cast

from runnable import defaults
from runnable.datastore import StepFinished, StepStarted
from runnable.engine.environment import RunEnvironment
from runnable.engine.errors import WorkerError
from runnable.engine.parameter_scope import Failure, ParameterScope
from runnable.engine.recorder import now
from runnable.engine.replaced_files import close_dead_attempts
from runnable.engine.run_folder import is_needed
from runnable.engine.runtimes.interruptible_call import CallInterrupted
from runnable.engine.slots import with_slot
from runnable.engine.workers.pickling import dumps
from runnable.engine.workers.pool import Worker, WorkerGoneError
from runnable.engine.workers.protocol import (
    Assignment,
    Common,
    Done,
    Emitted,
    Learned,
    Message,
    Output,
    Packet,
    Refused,
    Written,
)
from runnable.graph import Graph, Overlap, TaskNode, join
from runnable.journal import StoredObject
from runnable.scope import find_run
from runnable.system.working_directory import working_directory
from runnable.tasks import Call


class _Work(NamedTuple):
    """The work of a worker process: a branch or a step."""

    name: str
    """For errors."""
    content: Graph | TaskNode
    scope: ParameterScope
    folder: str = ""
    """The working directory, if it is not that of the worker."""

    @property
    def path(self) -> str:
        """The path of the step or of the branch."""
        if isinstance(self.content, TaskNode):
            return join(self.scope.path, self.content.name)
        return self.scope.path


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
        self._common: bytes | None = None
        self._lock = threading.Lock()
        self.has_died = False
        """Whether the last process has ended in the middle of its work."""

    async def _run(self, work: _Work) -> bool:
        stop, scope, env = _Stop(), work.scope, self._env
        call = Call(self._in_worker, (work, stop), stop=stop)
        self.has_died = False
        try:
            done = cast("Done", await env.runtime.invoke(call))
        except WorkerError as error:
            scope.failure = Failure(work.path, error)
            if stop.has_started:
                self.has_died = True
                await env.off_loop(self._settle, work.path)
            else:
                await self._record_failure(work, error)
            return False
        if done.raised is not None:
            raise done.raised
        scope.parameters = done.parameters
        scope.failure = done.failure or scope.failure
        if env.objects is not None:
            env.objects.update(done.objects)
        return done.succeeded

    def _settle(self, path: str) -> None:
        """Restore the files that a process has replaced that can no longer do so."""
        services, run_id = self._env.services, self._env.run_id
        if services.catalog.open_attempts(run_id):
            state = services.run_log_store.state(run_id)
            paths = [step.path for step in state.steps_below(path)]
            close_dead_attempts(services.catalog, run_id, state, paths)

    async def _record_failure(self, work: _Work, error: WorkerError) -> None:
        """Record that a step has failed before any process could run it."""
        if isinstance(work.content, TaskNode):
            step, node = self._env.state.step(work.path), work.content
            number = step.started.attempt + 1 if step is not None else 1
            record, path, reason = self._env.record, work.path, str(error)
            await record(StepStarted(now(), path, node.name, node.node_type, number))
            await record(
                StepFinished(now(), path, defaults.FAIL, {}, [], number, reason)
            )

    def _in_worker(self, work: _Work, stop: "_Stop") -> Done:
        # Pickling and starting a process take a while: not on an event loop.
        env = self._env
        scope = work.scope.alone()
        if work.folder:
            here = str(working_directory() or "")
            scope.environment = {**scope.environment, defaults.CALLER_DIRECTORY: here}
        assignment = Assignment(
            work.content,
            scope,
            _objects_for(work.scope, env),
            env.state.excerpt(work.path),
            env.masker.known,
            work.folder,
        )
        secrets = set(assignment.secrets)
        pickled, common = _dump(assignment, work.name), self._pickle_common(work.name)
        worker = env.workers.take()
        stop.worker = worker
        if stop.called:
            worker.stop()  # before there was a worker
        has_common, worker.common = worker.common is common, common
        packet = Packet(None if has_common else common, pickled)
        done = _converse(worker, packet, work, env, stop, secrets)
        env.workers.give_back(worker)
        return done

    def _pickle_common(self, name: str) -> bytes:
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
                    _container_class(name),
                    options._replace(overlap=overlap),
                    self._env.step_limit is not None,
                )
                self._common = _dump(common, name)
            return self._common


class RemoteBranches(_Remote):
    """Runs the branches of one step in worker processes."""

    def __init__(self, outer: ParameterScope, env: RunEnvironment) -> None:
        super().__init__(env, outer)

    async def run(
        self, graph: Graph, scope: ParameterScope, env: RunEnvironment
    ) -> bool:
        """Run the graph of a branch in a worker process.

        Args:
            graph: The graph.
            scope: Its parameters; gets what the branch sets, and why it failed.
            env: The environment of the run.

        Returns:
            Whether it ended at its success node. A worker that dies fails its branch.
        """
        work = _Work(f"branch {scope.path!r}", graph, scope)
        if env.step_limit is None:
            return await self._run(work)
        return await with_slot(env.step_limit, env.runtime, partial(self._run, work))


class RemoteStep(_Remote):
    """Runs a step in a worker process, in a directory of its own."""

    async def run(self, node: TaskNode, scope: ParameterScope) -> None:
        """Run the step.

        Args:
            node: The step.
            scope: The parameters that it reads; gets what it returns, and why it
                failed. A worker that dies fails the step.
        """
        self._outer = scope.outer
        path = join(scope.path, node.name)
        with tempfile.TemporaryDirectory(
            prefix="runnable-", ignore_cleanup_errors=True
        ) as folder:
            # There, it is a step like any other.
            shared = replace(node, policy=node.policy._replace(workspace="shared"))
            await self._run(_Work(f"step {path!r}", shared, scope, folder))


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


class _Stop:
    """Stops the worker that runs something, once there is one."""

    worker: Worker | None = None
    called = False
    has_started = False
    """Whether the worker has sent a record."""

    def __call__(self) -> None:
        self.called = True
        if self.worker is not None:
            self.worker.stop()


def _dump(content: Common | Assignment, name: str) -> bytes:
    try:
        return dumps(content)
    except Exception as error:
        # Whatever the users' objects raise when they are pickled.
        problem = (
            f"{name} cannot be sent to a worker process: {type(error).__name__}: "
            f"{error}. With parallelism: thread, and in a shared workspace, nothing is "
            "sent."
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


def _converse(
    worker: Worker,
    packet: Packet,
    work: _Work,
    env: RunEnvironment,
    stop: _Stop,
    known: set[str],
) -> Done:
    """Have something run, and handle the messages of the worker."""
    # In one scope, one step runs at a time: nothing else can be open there.
    below = work.scope.path
    try:
        worker.send(packet)
        return _listen(worker, env, stop, known)
    except WorkerGoneError:
        reason = f"its worker process has ended ({worker.end_reason()})"
        status = defaults.CANCELLED if worker.stopped else defaults.FAIL
        env.recorder.end_open(status, reason, below=below)
        if worker.stopped:
            raise CallInterrupted from None
        raise WorkerError(f"{work.name}: {reason}") from None
    except WorkerError as refusal:
        worker.close()
        raise WorkerError(f"{work.name}: {refusal}") from None
    except BaseException:
        # Interrupted here, or something could not be recorded. The worker's remaining
        # messages are handled until it ends, maybe in the middle of one.
        worker.stop()
        with contextlib.suppress(Exception):
            _listen(worker, env, stop, known)
        worker.close()
        env.recorder.end_open(defaults.CANCELLED, "cancelled", below=below)
        raise


def _listen(worker: Worker, env: RunEnvironment, stop: _Stop, known: set[str]) -> Done:
    """Handle the messages of a worker until its work is done.

    Args:
        worker: The worker.
        env: The environment of the run.
        stop: Notes that the worker has sent a record.
        known: The secrets that the worker knows.
    """
    while True:
        match cast("Message", worker.receive()):
            case Done() as done:
                return done
            case Refused(reason):
                raise WorkerError(reason)
            case Output(stream, text):
                # The worker has masked what it knows; others may have read more.
                getattr(sys, stream).write(env.masker.text(text))
            case message:
                stop.has_started = stop.has_started or isinstance(message, Written)
                _take(message, env, known)
                new = env.masker.known - known
                known.update(new)
                worker.send(new)


def _take(
    message: Written | Emitted | Learned, env: RunEnvironment, known: set[str]
) -> None:
    """Act on a message that the worker waits to be answered."""
    match message:
        case Written(record):
            env.recorder.record(record)
        case Emitted(event):
            pause = env.recorder.notify(event)
            if pause is not None:
                pause.wait()
        case Learned(secrets):
            known.update(secrets)
            env.masker.add(secrets)
