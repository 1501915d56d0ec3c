"""The port of run log stores: append a record, read the records, list the runs."""

import abc
from collections.abc import Iterator
from typing import Protocol

from runnable.datastore.fold import fold
from runnable.datastore.parameters import ObjectLoader
from runnable.datastore.records import Record
from runnable.datastore.run_log import RunLog
from runnable.datastore.run_summary import (
    DAMAGED,
    RunSummary,
    Wanted,
    select,
    summarise,
)
from runnable.exceptions import DefinitionError, RunLogDamagedError, RunLogNotFoundError
from runnable.service import Service


class Journal(Protocol):
    """A run log that is being written."""

    def append(self, record: Record) -> None:
        """Keep a record; when this returns, it is kept as `durability` promises."""

    def close(self) -> None:
        """Give back what is open; what was appended stays."""


class BaseRunLogStore(Service, abc.ABC):
    """Keeps the journals of runs.

    A store of your own implements the abstract methods, and is registered under
    the entry point group `run_log_store`.
    """

    service_type: str = "run_log_store"

    @abc.abstractmethod
    def create(self, run_id: str) -> Journal:
        """Begin the journal of a new run.

        Args:
            run_id: The id of the run.

        Returns:
            The journal, empty.

        Raises:
            RunLogExistsError: If there is one of this id; of two that create it at
                once, exactly one succeeds.
        """

    @abc.abstractmethod
    def reopen(self, run_id: str, first: Record, seen: int) -> Journal:
        """Continue the journal of a run that was begun before.

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
        memory, where nobody else is.

        Args:
            run_id: The id of the run.

        Returns:
            The journal; what is appended comes after what is there.

        Raises:
            RunLogNotFoundError: If there is no such run.
        """

    @abc.abstractmethod
    def read(self, run_id: str) -> Iterator[Record]:
        """Yield the records of a run, in the order they were written.

        Args:
            run_id: The id of the run.

        Raises:
            RunLogNotFoundError: If there is no such run.
            RunLogDamagedError: When it comes to a record that was changed.
        """

    @abc.abstractmethod
    def list_run_ids(self) -> list[str]:
        """List the ids of all runs, sorted."""

    @abc.abstractmethod
    def get_summary(self) -> dict[str, str]:
        """Say what this store is and where it keeps run logs."""

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
            wanted: Which ones; all if nothing is said.
        """
        return select(map(self.summary, self.list_run_ids()), wanted)

    def summary(self, run_id: str) -> RunSummary | None:
        """Sum up a run; None if there is no such run any more.

        Args:
            run_id: The id of the run.
        """
        try:
            return summarise(run_id, *self.ends(run_id))
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
        """Return what tells a run from those of other stores of this process."""
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
            return fold(run_id, self.read(run_id), loader)
        except KeyError as missing:
            why = f"the start of step {missing} is missing"
            raise RunLogDamagedError(run_id, "its journal", why) from None
        except (TypeError, ValueError, AttributeError, IndexError) as error:
            why = f"its records do not fit together: {error}"
            raise RunLogDamagedError(run_id, "its journal", why) from error

    def finish(self, run_log: RunLog) -> None:
        """Take note of the log of a run that has ended; a store may keep a copy."""
