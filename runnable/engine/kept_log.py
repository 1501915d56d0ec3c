"""The records of a run, kept so that its log needs no reading of the store.

A store that wants the log of each run at its end, such as one that writes it into a
file, has it made while the run goes on. For any other store, the records are kept, and
made into a log when somebody looks at one: who embeds runs often never does.
"""

from runnable.datastore import (
    BaseRunLogStore,
    CatalogLoader,
    Journal,
    PackedRecords,
    Record,
    RunLog,
    RunLogView,
    recorded_run_log,
)
from runnable.journal import Retention, RunState


class KeptLog:
    """Keeps what the log of one new run is made of; this process writes all of it.

    Args:
        store: The run log store of the run.
    """

    def __init__(self, store: BaseRunLogStore) -> None:
        # A fake need not be derived from the port.
        wants_log = getattr(store, "wants_log", True)
        self.view = RunLogView(Retention.LATEST) if wants_log else None
        """Follows the state of the run, if the store wants its log."""
        self._records: PackedRecords | None = None
        self.copy: PackedRecords | None = None
        """Gets each record, if there is no other place in memory that has them."""

    def begin(self, journal: Journal, first: Record) -> None:
        """Note the first record, unless the journal is in memory itself.

        Args:
            journal: The journal of the run, with its first record.
            first: That record.
        """
        if self.view is not None:
            return
        in_memory = getattr(journal, "records", None)
        if isinstance(in_memory, PackedRecords):
            self._records = in_memory
        else:
            self._records = self.copy = PackedRecords()
            self.copy.append(first)

    def run_log(self, run_id: str, state: RunState, loader: CatalogLoader) -> RunLog:
        """Return the log.

        Args:
            run_id: The id of the run.
            state: Its state.
            loader: Loads its stored objects.
        """
        if self.view is not None:
            return self.view.run_log(run_id, loader)
        assert self._records is not None  # noqa: S101 - it has begun
        return recorded_run_log(state, self._records, loader)
