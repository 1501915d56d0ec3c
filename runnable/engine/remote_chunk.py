"""Run a chunk on a cluster: the side that is a worker of the cluster.

It knows nothing but what it is sent: its process may be in the middle of other work,
also of other runs. It writes its records to the journal of the run, which it joins;
output and events come back with the results.
"""

import contextlib
import io
import pickle
import platform
import threading
from collections.abc import Generator
from importlib import import_module
from pathlib import Path
from typing import NamedTuple, TextIO, cast

from runnable.capture import Streams
from runnable.engine.chunk_runner import explained, run_chunk
from runnable.engine.runtimes import InlineRuntime
from runnable.engine.workers import protocol
from runnable.engine.workers.pickling import dumps
from runnable.events import Event, TaskEvent, Warned
from runnable.executor import Sealed, StopSignal
from runnable.secrets import BaseSecrets
from runnable.system.version import version

_LOOK_SECONDS = 0.5


class _GivenSecrets(BaseSecrets):
    """The secrets that a chunk was sent with; others, the worker itself may know."""

    values: dict[str, str]
    others: BaseSecrets

    def get(self, name: str) -> str:
        """Return a secret."""
        value = self.values.get(name)
        return self.others.get(name) if value is None else value


class _Stream(io.TextIOBase):
    """Takes what is written to one of the standard streams."""

    def __init__(self, name: str, pieces: list[tuple[str, str]]) -> None:
        super().__init__()
        self._name = name
        self._pieces = pieces

    def write(self, text: str, /) -> int:
        """Take a piece."""
        self._pieces.append((self._name, text))
        return len(text)


class _Printed:
    """The output of the tasks of a chunk, in order."""

    def __init__(self) -> None:
        self.pieces: list[tuple[str, str]] = []
        self.stdout = cast("TextIO", _Stream("stdout", self.pieces))
        self.stderr = cast("TextIO", _Stream("stderr", self.pieces))


class _Collector(NamedTuple):
    """Takes what comes of a chunk; see `chunk_runner.Observer`."""

    results: list[bytes]
    events: list[Event]
    console: Streams
    is_live: bool = False

    def done(self, content: bytes) -> None:
        """Take the end of a branch or a step."""
        self.results.append(content)

    def notify(self, event: Event) -> None:
        """Take an event, unless it is a record, which the owner reads."""
        if isinstance(event, TaskEvent | Warned):
            self.events.append(event)


def look_around(sealed: Sealed) -> Sealed:
    """Find out what can be done in this process.

    Args:
        sealed: A pickled `protocol.Question`.

    Returns:
        Pickled `protocol.Facts`.
    """
    question = cast("protocol.Question", pickle.loads(sealed.content))
    missing = [why for it in question.modules if (why := _why_missing(it))]
    unseen = [it for it in question.files if not Path(it).exists()]
    facts = protocol.Facts(version(), platform.python_version(), missing, unseen)
    return Sealed(pickle.dumps(facts))


def _why_missing(module: str) -> str:
    try:
        import_module(module)
    except Exception as error:  # noqa: BLE001 - whatever the module raises
        return f"{module} ({type(error).__name__}: {error})"
    return ""


def run_remote_chunk(sealed: Sealed, stop: StopSignal) -> Sealed:
    """Run a chunk in this process.

    Args:
        sealed: A pickled `protocol.Order`.
        stop: Tells it to end.

    Returns:
        A pickled `protocol.Outcome`.
    """
    printed = _Printed()
    events: list[Event] = []
    done: list[bytes] = []
    known: frozenset[str] = frozenset()
    problem, interrupted = "", False
    try:
        order = cast("protocol.Order", pickle.loads(sealed.content))
        common = cast("protocol.Common", pickle.loads(order.common))
        chunk = cast("protocol.Chunk", pickle.loads(order.chunk))
    except Exception as error:  # noqa: BLE001 - whatever users' objects raise
        return _sealed(
            protocol.Outcome([], [], [], known, explained("load its work", error))
        )
    masker = common.context.masker
    try:
        collector = _Collector(done, events, printed)
        interrupted = _run(common, chunk, order.secrets, collector, stop)
    except BaseException as error:  # noqa: BLE001 - a store failed, or the cluster ends
        problem = masker.text(f"{type(error).__name__}: {error}")
    return _sealed(
        protocol.Outcome(
            done,
            [(stream, masker.text(text)) for stream, text in printed.pieces],
            events,
            masker.known - chunk.secrets,
            problem,
            interrupted,
        )
    )


def _sealed(outcome: protocol.Outcome) -> Sealed:
    return Sealed(dumps(outcome))


def _run(
    common: protocol.Common,
    chunk: protocol.Chunk,
    secrets: dict[str, str],
    collector: "_Collector",
    stop: StopSignal,
) -> bool:
    """Run the chunk; return whether it was told to end."""
    context, runtime = common.context, InlineRuntime()
    services = context.services
    given = _GivenSecrets(values=secrets, others=services.secrets)
    context.services = services._replace(secrets=given)

    journal = services.run_log_store.join(context.run_id)
    with contextlib.closing(journal), _stopping(runtime, stop) as stopped:
        try:
            run_chunk(common, chunk, journal, collector, runtime)
        except BaseException:
            if not stopped.is_set():
                raise
    return stopped.is_set()


@contextlib.contextmanager
def _stopping(runtime: InlineRuntime, stop: StopSignal) -> Generator[threading.Event]:
    """Cancel what runs as soon as the signal comes, for the length of a block.

    Yields:
        Set when it has come.
    """
    over, stopped = threading.Event(), threading.Event()

    def watch() -> None:
        while not over.is_set():
            if stop.wait(_LOOK_SECONDS):
                stopped.set()
                runtime.cancel()
                return

    watching = threading.Thread(target=watch, name="runnable stop", daemon=True)
    watching.start()
    try:
        yield stopped
    finally:
        over.set()
