"""Have chunks run on a cluster: the side that has the run.

Theory of operation. A chunk goes to the cluster as bytes, with everything that it
needs: the services, the scopes, and the secrets that its tasks declare. Its worker
writes the records to the journal of the run, which both must be able to reach; they are
read from there when the call has ended, however it has. Of a worker that was lost, the
journal tells what had ended, and what was open.
"""

import contextlib
import pickle
import sys
from collections.abc import Iterable, Mapping
from typing import cast

from pydantic import JsonValue

from runnable import defaults
from runnable.engine.chunks import Progress, StopRemote, path_of
from runnable.engine.declared_secrets import secrets_of
from runnable.engine.environment import RunEnvironment
from runnable.engine.errors import WorkerError
from runnable.engine.runtimes.interruptible_call import CallInterrupted
from runnable.engine.workers.protocol import (
    REMOTE_CHUNK,
    Chunk,
    Done,
    Order,
    Outcome,
)
from runnable.executor import Cluster, Lost, RemoteWork, Sealed
from runnable.graph import TaskNode, tasks_of
from runnable.journal import AnyParameter, BranchFinished, Record


class ClusterCarrier:
    """Carries chunks to a cluster.

    Args:
        env: The environment of the run.
        cluster: The cluster.
    """

    def __init__(self, env: RunEnvironment, cluster: Cluster) -> None:
        self._env = env
        self._cluster = cluster

    def carry(
        self,
        progress: Progress,
        chunk: Chunk,
        pickled: tuple[bytes, bytes],
        stop: StopRemote,
    ) -> None:
        """Have a chunk run, and take what comes of it.

        Args:
            progress: Gets the results.
            chunk: The chunk.
            pickled: What the chunks of the step share, and the chunk.
            stop: Stops it.

        Raises:
            WorkerError: If the worker was lost, or refuses the chunk.
            CallInterrupted: If it was stopped.
        """
        env = self._env
        tasks = list(tasks_of([it.work for it in chunk.assignments]))
        order = Order(*pickled, secrets_of(tasks, env.context))
        name = path_of(chunk.assignments[0])
        content = Sealed(pickle.dumps(order))
        env.followed.expect(map(path_of, progress.left), env.records_after)
        call = self._cluster.submit(
            RemoteWork(name, REMOTE_CHUNK, content, _overrides(tasks, env))
        )
        stop.set(call.stop)
        try:
            answer = call.wait()
        except BaseException:
            # Interrupted here, as by Ctrl-C. The worker ends first, and records it.
            stop()
            with contextlib.suppress(Exception, CallInterrupted):
                self._finish(progress, call.wait(), stop)
            raise
        self._finish(progress, answer, stop)

    def _finish(
        self, progress: Progress, answer: Sealed | Lost, stop: StopRemote
    ) -> None:
        """Take what the worker has recorded and answered."""
        recorded = _Recorded(progress, self._env)
        if isinstance(answer, Lost):
            recorded.take_ends(progress)
            problem, interrupted = answer.reason, False
        else:
            outcome = cast("Outcome", pickle.loads(answer.content))
            self._take(outcome, progress)
            problem, interrupted = outcome.problem, outcome.interrupted
        if progress.left and not progress.raised:
            progress.has_started = path_of(progress.left[0]) in recorded.started
            self._end_open(progress, problem, stopped=interrupted or stop.called)

    def _take(self, outcome: Outcome, progress: Progress) -> None:
        env = self._env
        env.masker.add(outcome.secrets)
        for stream, text in outcome.output:
            getattr(sys, stream).write(env.masker.text(text))
        for event in outcome.events:
            env.recorder.notify(event)
        for content in outcome.done:
            progress.done(cast("Done", pickle.loads(content)))

    def _end_open(self, progress: Progress, reason: str, *, stopped: bool) -> None:
        status = defaults.CANCELLED if stopped else defaults.FAIL
        self._env.recorder.end_open(status, reason, below=progress.scope)
        if stopped:
            raise CallInterrupted
        raise WorkerError(f"{progress.name}: {reason}")


class _Recorded:
    """Records of a chunk, from a worker; applied to the state of the run."""

    def __init__(self, progress: Progress, env: RunEnvironment) -> None:
        self.started: set[str] = set()
        """The paths of the branches or steps of which something is recorded."""
        self._set: dict[str, Mapping[str, AnyParameter]] = {}
        """The parameters that branches have set that have succeeded, by path."""
        for it in progress.left:
            path = path_of(it)
            for record in env.followed.records_of(path, env.records_after):
                self._note(path, record, env)

    def _note(self, path: str, record: Record, env: RunEnvironment) -> None:
        self.started.add(path)
        ended = isinstance(record, BranchFinished) and record.path == path
        scope = env.state.scope(path) if ended else None
        if scope is not None and getattr(record, "status", "") == defaults.SUCCESS:
            self._set[path] = dict(scope.parameters)
        env.recorder.adopt(record)
        env.recorder.notify(record)

    def take_ends(self, progress: Progress) -> None:
        """Take the results of what ended before its worker was lost."""
        while progress.left and progress.scope in self._set:
            parameters = dict(self._set[progress.scope])
            progress.done(Done(True, parameters, None, {}))


def _overrides(
    tasks: Iterable[TaskNode], env: RunEnvironment
) -> Mapping[str, JsonValue]:
    """Return the block of the executor's configuration that tasks have chosen."""
    executor = env.services.executor
    blocks: Mapping[str, Mapping[str, JsonValue]] = getattr(executor, "overrides", {})
    for node in tasks:
        chosen = node.overrides.get(executor.service_name)
        if chosen is not None and chosen in blocks:
            return blocks[chosen]
    return {}
