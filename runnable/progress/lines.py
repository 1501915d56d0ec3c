"""Progress where nothing can be drawn again: a line for each step that has ended."""

import contextlib
import threading
import time
from typing import TextIO

from runnable import defaults
from runnable.events import Event
from runnable.journal import BranchFinished, StepFinished, StepStarted
from runnable.progress.run_progress import RunProgress, detail_of
from runnable.progress.step_progress import StepProgress
from runnable.progress.texts import end_text, seconds_text
from runnable.system.plain_text import plain

_COUNT_SECONDS = 10
"""How often the branches of a step are counted that takes long."""


class Lines:
    """Writes about one run, beside any number of others.

    Args:
        run: The run.
        stream: Where lines are written; None if there is nothing to write to.
    """

    def __init__(self, run: RunProgress, stream: TextIO | None) -> None:
        self._run = run
        self._stream = stream
        self._counted = time.monotonic()
        self._lock = threading.Lock()

    def __call__(self, event: Event) -> None:
        """Write about an event, if it is worth a line."""
        path = getattr(event, "path", "")
        # Those in branches are counted, if they have not failed.
        step = self._run.step(path) if isinstance(event, StepFinished) else None
        if step is not None and (path == step.name or step.status == defaults.FAIL):
            self._write_end(path, step)
        elif isinstance(event, StepStarted) and event.attempt > 1:
            self._write(f"{plain(path)}: attempt {event.attempt}")
        elif isinstance(event, BranchFinished):
            self._count(path.partition(".")[0])

    def end(self) -> None:
        """Write how the run has ended."""
        self._write(end_text(self._run))

    def _write_end(self, path: str, step: StepProgress) -> None:
        took = seconds_text(step.seconds(time.time()))
        text = f"{plain(path)}: {step.status} after {took}"
        more = detail_of(step)
        self._write(f"{text} ({more})" if more else text)

    def _count(self, name: str) -> None:
        step = self._run.step(name)
        if step is not None and time.monotonic() - self._counted > _COUNT_SECONDS:
            self._counted = time.monotonic()
            self._write(f"{plain(name)}: {detail_of(step)}")

    def _write(self, text: str) -> None:
        if self._stream is None:
            return
        encoding = getattr(self._stream, "encoding", None) or "utf-8"
        known = text.encode(encoding, "backslashreplace").decode(encoding)
        lines = "".join(f"[{self._run.run_id}] {it}\n" for it in known.splitlines())
        # The reader of a pipe may have gone; that is no reason for a run to fail.
        with self._lock, contextlib.suppress(OSError, ValueError):
            self._stream.write(lines)
            self._stream.flush()
