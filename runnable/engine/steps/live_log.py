"""The output of an active step, saved for readers now and then.

Theory of operation. When a step prints for the first time, what it has printed is put
into the catalog every few seconds, under the name of its execution log, which replaces
it when the attempt has ended. So readers elsewhere see it grow, and a process that is
killed leaves what it had printed.
"""

import threading

from runnable.catalog import BaseCatalog
from runnable.concurrency import Periodic
from runnable.engine.steps.output_log import OutputLog
from runnable.graph import execution_log_name


class LiveLog:
    """Puts the output of one attempt into the catalog while it grows.

    Args:
        catalog: That of the run.
        run_id: The run.
        attempt: The path of the step, and the number of the attempt.
        output: What it has printed.
    """

    __slots__ = ("_catalog", "_length", "_lock", "_name", "_output", "_run_id")

    def __init__(
        self,
        catalog: BaseCatalog,
        run_id: str,
        attempt: tuple[str, int],
        output: OutputLog,
    ) -> None:
        self._catalog = catalog
        self._run_id = run_id
        self._name = execution_log_name(*attempt)
        self._output: OutputLog | None = output
        self._length = 0
        self._lock = threading.Lock()

    def start(self, periodic: Periodic) -> None:
        """Have it saved from now on."""
        periodic.watch(self.save)

    def save(self) -> bool:
        """Put what there is into the catalog; return False if it is over."""
        with self._lock:
            output = self._output
            if output is None or output.is_over:
                return False
            if output.length != self._length:
                self._length = output.length
                text = output.so_far()
                self._catalog.put_text(self._name, text, run_id=self._run_id)
            return True

    def finish(self) -> None:
        """Save nothing any more: the whole follows."""
        with self._lock:
            self._output = None
