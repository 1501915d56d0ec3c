"""Run steps by commands, each in a process of its own that joins the run.

Theory of operation. The run stays here: it begins branches and says what follows. Of a
step, nothing but text goes out, the command; what comes back is what the process has
recorded. One that ends without having recorded an end has failed.
"""

import subprocess
from collections.abc import Callable, Sequence
from typing import NamedTuple

from runnable import defaults
from runnable.ambient import environment_of_step
from runnable.datastore import BaseRunLogStore, StepFinished, StepStarted
from runnable.engine.history import History
from runnable.engine.recorder import now
from runnable.engine.scopes import Failure, Scope
from runnable.engine.session import Session
from runnable.engine.traversal import Outcome
from runnable.exceptions import RunError
from runnable.graph import ExecutableNode, join
from runnable.tasks import Call
from runnable.telemetry import carried_environment
from runnable.threads import call_later

_GRACE_SECONDS = 10


class ByCommand(NamedTuple):
    """Has each step run by a command."""

    command: Callable[[str], Sequence[str]]
    """Makes the command for the path of a step."""

    async def __call__(
        self, node: ExecutableNode, scope: Scope, session: Session
    ) -> Outcome:
        """Run a step to its end, as often as its policy allows."""
        path = join(scope.path, node.name)
        process = CommandProcess(self.command(path))
        status = await session.runtime.invoke(Call(process.run, stop=process.stop))
        store, run_id = session.services.run_log_store, session.context.run_id
        ended, attempts = await session.off_loop(_end_of, store, run_id, path)
        if ended is None:
            why = f"its process ended with status {status}, and has recorded no end"
            ended = _give_up(node, path, attempts, why, session)
        if ended.status == defaults.SUCCESS:
            scope.parameters.update(ended.outputs)
            return Outcome.SUCCEEDED
        scope.failure = Failure(path, RunError(ended.message))
        return Outcome.FAILED


class CommandProcess:
    """A command that is run once; what it prints is seen, and read by nobody.

    Args:
        command: Its arguments.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None
        self._unwanted = False

    def run(self) -> int:
        """Run it to its end, and return its status."""
        if self._unwanted:
            return 1
        environment = {**environment_of_step(), **carried_environment()}
        with subprocess.Popen(self._command, env=environment) as process:  # noqa: S603
            self._process = process
            if self._unwanted:  # it was to end just before it began
                self.stop()
            try:
                return process.wait()
            except BaseException:
                self.stop()
                raise

    def stop(self) -> None:
        """Ask it to end; it records that it was ended."""
        self._unwanted = True
        process = self._process
        if process is None or process.poll() is not None:
            return
        process.terminate()
        call_later(_GRACE_SECONDS, process.kill)


def _end_of(
    store: BaseRunLogStore, run_id: str, path: str
) -> tuple[StepFinished | None, int]:
    """Return what is recorded of the end of a step, and how often it was tried."""
    past = History(store.read(run_id)).of(path)
    return (past.finished, past.last_attempt) if past else (None, 0)


def _give_up(
    node: ExecutableNode, path: str, attempts: int, why: str, session: Session
) -> StepFinished:
    """Record that a step has failed whose process cannot say so any more."""
    recorder, number = session.recorder, max(attempts, 1)
    started = StepStarted(now(), path, node.name, node.node_type, number)
    if attempts:
        recorder.adopt(started)
    else:
        recorder.record(started)
    ended = StepFinished(now(), path, defaults.FAIL, {}, [], number, why)
    recorder.record(ended)
    return ended
