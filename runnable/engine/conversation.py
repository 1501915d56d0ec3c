"""Talk to a worker process while it runs a chunk: the side that has the run."""

import contextlib
import sys
from typing import cast

from runnable import defaults
from runnable.engine.chunks import Progress, StopRemote
from runnable.engine.environment import RunEnvironment
from runnable.engine.errors import WorkerError
from runnable.engine.runtimes.interruptible_call import CallInterrupted
from runnable.engine.workers.pool import Worker, WorkerGoneError
from runnable.engine.workers.protocol import (
    Chunk,
    Done,
    Emitted,
    Learned,
    Message,
    Output,
    Packet,
    Refused,
    Written,
)


class WorkerCarrier:
    """Carries chunks to worker processes of the run.

    Args:
        env: The environment of the run.
    """

    def __init__(self, env: RunEnvironment) -> None:
        self._env = env

    def carry(
        self,
        progress: Progress,
        chunk: Chunk,
        pickled: tuple[bytes, bytes],
        stop: StopRemote,
    ) -> None:
        """Have a chunk run, and take what comes of it; see `ClusterCarrier.carry`."""
        workers = self._env.workers
        common, content = pickled
        worker = workers.take()
        stop.set(worker.stop)
        has_common, worker.common = worker.common is common, common
        packet = Packet(None if has_common else common, content)
        converse(worker, packet, progress, self._env, set(chunk.secrets))
        workers.give_back(worker)


def converse(
    worker: Worker,
    packet: Packet,
    progress: Progress,
    env: RunEnvironment,
    known: set[str],
) -> None:
    """Have a chunk run, and handle the messages of the worker until it has ended.

    Args:
        worker: The worker.
        packet: The chunk.
        progress: Gets the results.
        env: The environment of the run.
        known: The secrets that the worker knows.

    Raises:
        WorkerError: If the worker has died, or refuses the chunk.
        CallInterrupted: If it was stopped.
    """
    try:
        worker.send(packet)
        _listen(worker, progress, env, known)
    except WorkerGoneError:
        reason = f"its worker process has ended ({worker.end_reason()})"
        status = defaults.CANCELLED if worker.stopped else defaults.FAIL
        env.recorder.end_open(status, reason, below=progress.scope)
        if worker.stopped:
            raise CallInterrupted from None
        raise WorkerError(f"{progress.name}: {reason}") from None
    except WorkerError as refusal:
        worker.close()
        raise WorkerError(f"{progress.name}: {refusal}") from None
    except BaseException:
        # Interrupted here, or something could not be recorded. The worker's remaining
        # messages are handled until it ends, maybe in the middle of one.
        worker.stop()
        with contextlib.suppress(Exception):
            _listen(worker, progress, env, known)
        worker.close()
        if progress.left:
            below = progress.scope
            env.recorder.end_open(defaults.CANCELLED, "cancelled", below=below)
        raise


def _listen(
    worker: Worker, progress: Progress, env: RunEnvironment, known: set[str]
) -> None:
    while True:
        match cast("Message", worker.receive()):
            case Done() as done:
                if progress.done(done):
                    return
            case Refused(reason):
                raise WorkerError(reason)
            case Output(stream, text):
                # The worker has masked what it knows; others may have read more.
                getattr(sys, stream).write(env.masker.text(text))
            case Written(records) as written if not written.is_awaited:
                progress.has_started = True
                env.recorder.record(*records)
            case message:
                progress.has_started = True
                _take(message, env, known)
                new = env.masker.known - known
                known.update(new)
                worker.send(new)


def _take(
    message: Written | Emitted | Learned, env: RunEnvironment, known: set[str]
) -> None:
    """Act on a message whose answer the worker waits for."""
    match message:
        case Written(records):
            env.recorder.record(*records)
        case Emitted(event):
            pause = env.recorder.notify(event)
            if pause is not None:
                pause.wait()
        case Learned(secrets):
            known.update(secrets)
            env.masker.add(secrets)
