"""The port of run log stores: append a record, read the records, list the runs."""

import abc
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

from runnable.datastore.errors import RunLogDamagedError, RunLogNotFoundError
from runnable.datastore.run_log import RunLog
from runnable.datastore.run_log_view import run_log_of
from runnable.datastore.run_summary import (
    DAMAGED,
    RunSummary,
    Wanted,
    select,
    summary_of,
)
from runnable.datastore.saved_state import dump_state, load_state
from runnable.errors import DefinitionError
from runnable.journal import (
    ObjectLoader,
    Record,
    RunStarted,
    RunState,
    UnknownPathError,
)
from runnable.scope.service import Service

_SAVED_RECORDS = 8
"""After so many new records, a process that joins a run saves its state."""


class Journal(Protocol):
    """A run log that is being written."""

    def append(self, record: Record, *more: Record) -> None:
        """Keep records in their order; none of them if it raises an error.

        When this returns, they are kept as `durability` promises.
        """

    def close(self) -> None:
        """Give back what is open; what was appended stays."""


class BaseRunLogStore(Service, abc.ABC):
    """Keeps the journals of runs.

    A store of your own implements the abstract methods, and is registered under
    the entry point group `run_log_store`.
    """

    service_type: str = "run_log_store"

    @abc.abstractmethod
    def create(self, run_id: str, first: Record) -> Journal:
        """Create the journal of a new run, with its first record, as one atomic act.

        Whatever interrupts the call, either the run exists with its first record, or it
        does not exist at all.

        Args:
            run_id: The id of the run.
            first: The record that starts it.

        Returns:
            The journal; later records are appended to it.

        Raises:
            RunLogExistsError: If there is one of this id; of two that create it at
                once, exactly one succeeds.
        """

    @abc.abstractmethod
    def reopen(self, run_id: str, first: Record, seen: int) -> Journal:
        """Continue the journal of an existing run.

        Args:
            run_id: The id of the run.
            first: The record that continues it.
            seen: How many records the journal has, as far as the caller knows.

        Returns:
            The journal, with the record; what is appended comes after it.

        Raises:
            RunLogNotFoundError: If there is no such run.
            RunLogContinuedError: If the journal has got records since; of two that
                continue it at once, exactly one succeeds.
        """

    @abc.abstractmethod
    def join(self, run_id: str) -> Journal:
        """Write to the journal of a run that another process has.

        Any number of processes may join a run, and its owner need not know; none of
        their records is lost, and each process finds its own in their order. When the
        run is resumed, who has joined it before cannot write any more, except in
        memory, which no other process sees.

        Args:
            run_id: The id of the run.

        Returns:
            The journal; what is appended comes after what is there.

        Raises:
            RunLogNotFoundError: If there is no such run.
        """

    @abc.abstractmethod
    def read(self, run_id: str, after: int = 0) -> Iterator[Record]:
        """Yield the records of a run, in the order they were written.

        Args:
            run_id: The id of the run.
            after: How many records to skip.

        Raises:
            RunLogNotFoundError: If there is no such run.
            RunLogDamagedError: When it comes to a record that was changed.
        """

    def state(self, run_id: str) -> RunState:
        """Read the state of a run.

        Args:
            run_id: The id of the run.

        Raises:
            RunLogNotFoundError: If there is no such run.
            RunLogDamagedError: If its records cannot be read.
        """
        try:
            state = self._saved_state(run_id) or RunState()
            for record in self.read(run_id, state.count):
                state.add(record)
        except UnknownPathError as error:
            raise RunLogDamagedError(run_id, "its journal", str(error)) from None
        return state

    def _saved_state(self, run_id: str) -> RunState | None:
        content = self.load_state(run_id)
        if content is None:
            return None
        first = next(self.read(run_id), None)
        return load_state(content, first) if isinstance(first, RunStarted) else None

    def keep_state(self, run_id: str, state: RunState) -> None:
        """Save the state of a run, if enough has happened since it was saved last.

        Args:
            run_id: The id of the run.
            state: Its state after all records of the journal.
        """
        if state.count - state.saved_count >= _SAVED_RECORDS:
            self.save_state(run_id, dump_state(state))

    def save_state(self, run_id: str, content: bytes) -> None:
        """Save the state of a run, replacing an earlier one; a store may keep none.

        Args:
            run_id: The id of the run.
            content: To be returned by `load_state`; removed with the run.
        """

    def load_state(self, run_id: str) -> bytes | None:
        """Return the state of a run that was saved last, if there is one.

        Args:
            run_id: The id of the run.
        """
        del run_id
        return None

    @abc.abstractmethod
    def list_run_ids(self) -> list[str]:
        """List the ids of all runs, sorted."""

    def latest_first(self, run_ids: Iterable[str]) -> list[str]:
        """Sort run ids by when the runs were written to, as far as that costs little.

        Args:
            run_ids: Ids of runs of this store.

        Returns:
            All of them; in any order, if the store does not know.
        """
        return list(run_ids)

    @abc.abstractmethod
    def get_summary(self) -> dict[str, str]:
        """Return the type and the location of this store."""

    @abc.abstractmethod
    def remove(self, run_id: str) -> None:
        """Remove the log of a run for good.

        Args:
            run_id: The id of the run.

        Raises:
            RunLogNotFoundError: If there is no such run.
        """

    def list_runs(self, wanted: Wanted = Wanted()) -> list[RunSummary]:  # noqa: B008 - immutable
        """List runs, the latest first; a damaged one hides no other.

        Args:
            wanted: Filter; by default all runs match.
        """
        return select(self.summaries(self.list_run_ids()), wanted)

    def summaries(self, run_ids: Sequence[str]) -> Iterable[RunSummary | None]:
        """Sum up runs, in this order; a store may know a shorter way for many.

        Args:
            run_ids: The ids of the runs.

        Returns:
            A summary of each; None if there is no such run any more.
        """
        return map(self.summary, run_ids)

    def summary(self, run_id: str) -> RunSummary | None:
        """Sum up a run; None if there is no such run any more.

        Args:
            run_id: The id of the run.
        """
        return self.summed_up(run_id, self.ends)

    @staticmethod
    def summed_up(
        run_id: str, read: Callable[[str], tuple[Record | None, Record | None]]
    ) -> RunSummary | None:
        """Sum up a run by what is read of it; None if there is no such run.

        Args:
            run_id: The id of the run.
            read: Returns what `ends` does, and raises what it raises.
        """
        try:
            return summary_of(run_id, *read(run_id))
        except RunLogNotFoundError:
            return None  # removed meanwhile
        except (RunLogDamagedError, DefinitionError, OSError, ValueError) as error:
            return RunSummary(run_id, DAMAGED, problem=str(error))
        except (TypeError, RecursionError) as error:
            why = f"its records are not what they should be: {error}"
            return RunSummary(run_id, DAMAGED, problem=why)

    def ends(self, run_id: str) -> tuple[Record | None, Record | None]:
        """Read the first and the last record of a run; a store may know a short way.

        Args:
            run_id: The id of the run.

        Returns:
            Both; the first may be None if the last one sums up the run.

        Raises:
            RunLogNotFoundError: If there is no such run.
            RunLogDamagedError: If a record was changed.
        """
        first = last = None
        for record in self.read(run_id):
            first, last = first or record, record
        return first, last

    @property
    def is_shared(self) -> bool:
        """Whether other processes can see the runs."""
        return True

    def key(self, run_id: str) -> str:
        """Return the identity of a run among all stores of this process."""
        return f"{self.service_name} {self.get_summary()['Location']} {run_id}"

    def get_run_log_by_id(
        self,
        run_id: str,
        full: bool = False,  # noqa: FBT001, FBT002 - positional since 0.50
        *,
        loader: ObjectLoader | None = None,
    ) -> RunLog:
        """Read the log of a run, finished or not.

        Args:
            run_id: The id of the run.
            full: Kept for callers that ask for the branches; they are always there.
            loader: Where stored objects of the run are loaded from.

        Returns:
            The run log.

        Raises:
            RunLogNotFoundError: If there is no such run.
            RunLogDamagedError: If a record was changed.
        """
        del full
        try:
            return run_log_of(run_id, self.read(run_id), loader)
        except RunLogNotFoundError:
            earlier = self.earlier_log(run_id)
            if earlier is None:
                raise
            return earlier
        except UnknownPathError as error:
            raise RunLogDamagedError(run_id, "its journal", str(error)) from None
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            why = f"its records do not fit together: {error}"
            raise RunLogDamagedError(run_id, "its journal", why) from error

    def earlier_log(self, run_id: str) -> RunLog | None:
        """Return a run log that has no journal; a store may have some of version 0.50.

        Args:
            run_id: The id of the run.
        """
        del run_id
        return None

    @property
    def wants_log(self) -> bool:
        """Whether it does anything with the log of a run that has ended."""
        return type(self).finish is not BaseRunLogStore.finish

    def finish(self, run_log: RunLog) -> None:
        """Take note of the log of a run that has ended; a store may keep a copy."""
