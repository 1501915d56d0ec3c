"""Run every step in a process of its own, by the commands that a cluster would use."""

import contextlib
import subprocess
import sys
from collections.abc import Mapping, Sequence
from threading import Thread
from types import MappingProxyType
from typing import IO, Literal

from runnable.capture import environment_of_step, is_written_through
from runnable.concurrency import call_later
from runnable.events.telemetry import carried_environment
from runnable.executor.base import BaseJobExecutor, BasePipelineExecutor
from runnable.executor.commands import RUNNABLE, arguments_of
from runnable.executor.execution import ExecutionOptions, StepReport, StepRequest
from runnable.executor.local import LocalOptions

_GRACE_SECONDS = 10
_REST_SECONDS = 2
_NO_VARIABLES: Mapping[str, str] = MappingProxyType({})
_STREAMS: tuple[Literal["stdout", "stderr"], ...] = ("stdout", "stderr")


class _Launching(LocalOptions):
    @property
    def options(self) -> ExecutionOptions:
        """Launch each step by a command."""
        return super().options._replace(launcher=CommandLauncher())


class EmulatorExecutor(_Launching, BasePipelineExecutor):
    """Runs every task in a process of its own, by `runnable execute-single-node`.

    What works so works where nothing but a command and the stores are shared. The other
    processes find the pipeline by a reference; see `Pipeline.reference`.
    """

    service_name: str = "emulator"


class EmulatorJobExecutor(_Launching, BaseJobExecutor):
    """Runs the task of a job in a process of its own, by `runnable execute-job`."""

    service_name: str = "emulator"


class CommandLauncher:
    """Starts each step by a command on this machine."""

    def launch(self, request: StepRequest) -> "CommandProcess":
        """Prepare the command of a step."""
        command = [*RUNNABLE, *arguments_of(request)]
        return CommandProcess(command, request.variables)

    def close(self) -> None:
        """Do nothing: each command ends by itself."""


class CommandProcess:
    """A command that runs once; its output is shown, and not read.

    Args:
        command: Its arguments.
        variables: More variables of it.
    """

    def __init__(
        self, command: Sequence[str], variables: Mapping[str, str] = _NO_VARIABLES
    ) -> None:
        self._command = command
        self._variables = variables
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped = False

    def wait(self) -> StepReport:
        """Run it, and wait until it has ended."""
        status = 1 if self._stopped else self._run()
        return StepReport(not status, f"its process ended with status {status}")

    def _run(self) -> int:
        known = environment_of_step()
        environment = {**known, **carried_environment(), **self._variables}
        # Its output goes where ours goes, unless something is drawn there.
        target = subprocess.PIPE if is_written_through() else None
        process = subprocess.Popen(  # noqa: S603 - our own command
            self._command, env=environment, stdout=target, stderr=target
        )
        self._process = process
        readers = _readers(process) if target is not None else ()
        if self._stopped:  # just before it started
            self.stop()
        try:
            status = process.wait()
        except BaseException:
            self.stop()
            process.wait()
            raise
        for reader in readers:
            # What it has started itself may still hold the pipe.
            reader.join(_REST_SECONDS)
        return status

    def stop(self) -> None:
        """Ask it to end; it records that it was cancelled."""
        self._stopped = True
        process = self._process
        if process is None or process.poll() is not None:
            return
        process.terminate()
        call_later(_GRACE_SECONDS, process.kill)


def _readers(process: subprocess.Popen[bytes]) -> list[Thread]:
    """Start to pass on what a process prints."""
    made = [
        Thread(target=_pass_on, args=(getattr(process, name), name), daemon=True)
        for name in _STREAMS
    ]
    for reader in made:
        reader.start()
    return made


def _pass_on(pipe: IO[bytes], name: Literal["stdout", "stderr"]) -> None:
    with pipe:
        for line in pipe:
            # It is read to its end in any case: else its process would wait.
            with contextlib.suppress(OSError, ValueError):
                getattr(sys, name).write(line.decode("utf-8", "backslashreplace"))
