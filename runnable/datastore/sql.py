"""Run log stores in SQL databases: SQLite for one machine, PostgreSQL for many.

Theory of operation. A row is a record, by run and number; a run has a row of its own,
inserted in one transaction with its first record. The database refuses a second row of
the same run, and a second record of the same number: so of two that start or continue a
run at once, one succeeds, and a process that was thought to be gone cannot write any
more. A random key distinguishes a run from a later one of the same id.
"""

import abc
import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar, Literal

import sqlalchemy as sa
from pydantic import JsonValue, PrivateAttr, SecretStr
from sqlalchemy import event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DatabaseError, IntegrityError, OperationalError
from sqlalchemy.schema import CreateTable

from runnable.datastore.codec import DamagedLineError, decode, encode
from runnable.datastore.errors import (
    RunLogContinuedError,
    RunLogDamagedError,
    RunLogExistsError,
    RunLogNotFoundError,
)
from runnable.datastore.numbered_journal import NumberedJournal
from runnable.datastore.run_summary import RunSummary
from runnable.datastore.store import BaseRunLogStore, Journal
from runnable.journal import Record, sums_up
from runnable.system.errors import StoreAccessError
from runnable.system.own_folder import ignore_file, make_own_folder
from runnable.system.run_ids import check_run_id
from runnable.system.working_directory import absolute

Durability = Literal["none", "process", "disk"]

_METADATA = sa.MetaData()
_RUNS = sa.Table(
    "runnable_runs",
    _METADATA,
    sa.Column("run_id", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, nullable=False, unique=True),
)
_RECORDS = sa.Table(
    "runnable_records",
    _METADATA,
    # A record of a run that was deleted meanwhile is refused.
    sa.Column("run", sa.Text, sa.ForeignKey(_RUNS.c.key), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("line", sa.LargeBinary, nullable=False),
)
_STATES = sa.Table(
    "runnable_states",
    _METADATA,
    sa.Column("run", sa.Text, sa.ForeignKey(_RUNS.c.key), primary_key=True),
    sa.Column("content", sa.LargeBinary, nullable=False),
)
_LAST = (
    sa
    .select(sa.func.max(_RECORDS.c.number))
    .where(_RECORDS.c.run == _RUNS.c.key)
    .correlate(_RUNS)
    .scalar_subquery()
)
_LAST_LINES = (
    sa
    .select(_RUNS.c.run_id, _RECORDS.c.line)
    .join(_RECORDS, (_RECORDS.c.run == _RUNS.c.key) & (_RECORDS.c.number == _LAST))
    .where(_RUNS.c.run_id.in_(sa.bindparam("run_ids", expanding=True)))
)
_READ_AT_ONCE = 1000
_SUMMED_UP_AT_ONCE = 500  # some databases have room for 999 ids in a query
_LOCKED_SECONDS = 60.0


class SqlRunLogStore(BaseRunLogStore, abc.ABC):
    """Keeps run logs in a database; each kind of database is a subclass."""

    durability: Durability = "process"
    """The faults that a record survives: a kill of this process; with `disk`, also a
    power failure of the database's machine."""
    advice: ClassVar[str] = ""
    """Advice if the database cannot be used; that of servers if empty."""
    _opened: sa.Engine | None = PrivateAttr(default=None)
    _lock: Any = PrivateAttr(default_factory=threading.Lock)

    def __getstate__(self) -> dict[Any, Any]:
        # Connections belong to this process.
        state = super().__getstate__()
        own: dict[str, object] = {**(state["__pydantic_private__"] or {})}
        own |= {"_opened": None, "_lock": None}
        return {**state, "__pydantic_private__": own}

    def __setstate__(self, state: dict[Any, Any]) -> None:
        super().__setstate__(state)
        self._lock = threading.Lock()

    @abc.abstractmethod
    def open(self) -> sa.Engine:
        """Open the database."""

    @property
    def _engine(self) -> sa.Engine:
        with self._lock:
            if self._opened is None:
                self._opened = self.open()
                event.listen(self._opened, "handle_error", self._explain)
                try:
                    _make_tables(self._opened)
                except DatabaseError:
                    # PostgreSQL lets two of these collide; then there are tables.
                    _make_tables(self._opened)
            return self._opened

    def _explain(self, context: ExceptionContext) -> None:
        if isinstance(context.sqlalchemy_exception, OperationalError):
            why = str(context.original_exception).strip().splitlines()[0]
            raise StoreAccessError(self._location(), why, self.advice)

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            engine, self._opened = self._opened, None
        if engine is not None:
            engine.dispose()

    def _location(self) -> str:
        return self.get_summary()["Location"]

    def create(self, run_id: str, first: Record) -> Journal:
        """Create the journal of a new run, with its first record."""
        engine, key = self._engine, os.urandom(16).hex()
        run = {"run_id": check_run_id(run_id), "key": key}
        record = {"run": key, "number": 1, "line": encode(first)}
        try:
            with engine.begin() as connection:
                connection.execute(sa.insert(_RUNS), run)
                connection.execute(sa.insert(_RECORDS), record)
        except IntegrityError:
            raise RunLogExistsError(run_id, self._location()) from None
        return self._journal(run_id, key, 1)

    def _journal(self, run_id: str, key: str, count: int) -> NumberedJournal:
        engine = self._engine

        def keep(number: int, lines: Sequence[bytes]) -> bool:
            rows = [
                {"run": key, "number": it, "line": line}
                for it, line in enumerate(lines, start=number)
            ]
            try:
                with engine.begin() as connection:
                    # One statement: several in a pipeline fail in other ways.
                    connection.execute(sa.insert(_RECORDS).values(rows))
            except IntegrityError:
                return False
            return True

        return NumberedJournal(
            run_id, count, keep, lambda after: self._read(run_id, key, after)
        )

    def reopen(self, run_id: str, first: Record, seen: int) -> Journal:
        """Continue the journal of an existing run."""
        key, count = self._count(run_id)
        if count != seen:
            raise RunLogContinuedError(run_id)
        return self._journal(run_id, key, seen).taken(first)

    def join(self, run_id: str) -> Journal:
        """Write to the journal of a run that another process has."""
        return self._journal(run_id, *self._count(run_id))

    def _count(self, run_id: str) -> tuple[str, int]:
        with self._engine.connect() as connection:
            key = self._key_of(connection, run_id)
            return key, connection.scalar(_of(sa.func.count(), key)) or 0

    def _key_of(self, connection: sa.Connection, run_id: str) -> str:
        known = check_run_id(run_id)
        query = sa.select(_RUNS.c.key).where(_RUNS.c.run_id == known)
        key: str | None = connection.scalar(query)
        if key is None:
            raise RunLogNotFoundError(run_id, self._location())
        return key

    def read(self, run_id: str, after: int = 0) -> Iterator[Record]:
        """Yield the records of a run, in the order they were written."""
        with self._engine.connect() as connection:
            key = self._key_of(connection, run_id)
        return self._read(run_id, key, after)

    def _read(self, run_id: str, key: str, read: int = 0) -> Iterator[Record]:
        while True:
            # In pieces, so that no connection is held while records are looked at.
            query = _of(_RECORDS.c.line, key).add_columns(_RECORDS.c.number)
            query = query.where(_RECORDS.c.number > read)
            query = query.order_by(_RECORDS.c.number).limit(_READ_AT_ONCE)
            with self._engine.connect() as connection:
                rows = connection.execute(query).all()
            for line, number in rows:
                read += 1
                if number != read:
                    why = f"record {read} is missing"
                    raise RunLogDamagedError(run_id, self._location(), why)
                yield self._decode(run_id, read, line)
            if len(rows) < _READ_AT_ONCE:
                return

    def _decode(self, run_id: str, which: int | str, line: bytes) -> Record:
        try:
            return decode(bytes(line))
        except (DamagedLineError, TypeError) as error:
            location = f"{self._location()}, record {which}"
            raise RunLogDamagedError(run_id, location, str(error)) from error

    def summaries(self, run_ids: Sequence[str]) -> Iterator[RunSummary | None]:
        """Sum up runs, in this order, by the last record of each."""
        for start in range(0, len(run_ids), _SUMMED_UP_AT_ONCE):
            some = run_ids[start : start + _SUMMED_UP_AT_ONCE]
            with self._engine.connect() as connection:
                rows = connection.execute(_LAST_LINES, {"run_ids": some}).all()
            lines = dict(rows)
            yield from (self._summed_up(it, lines.get(it)) for it in some)

    def _summed_up(self, run_id: str, line: bytes | None) -> RunSummary | None:
        def read(run_id: str) -> tuple[Record | None, Record | None]:
            last = self._decode(run_id, "last", line) if line is not None else None
            if sums_up(last):
                return None, last
            return self.ends(run_id)

        return self.summed_up(run_id, read)

    def ends(self, run_id: str) -> tuple[Record | None, Record | None]:
        """Read the first record and the last one alone."""
        with self._engine.connect() as connection:
            lines = _of(_RECORDS.c.line, self._key_of(connection, run_id)).limit(1)
            first = connection.scalar(lines.order_by(_RECORDS.c.number))
            last = connection.scalar(lines.order_by(_RECORDS.c.number.desc()))
        if first is None or last is None:
            return None, None
        return self._decode(run_id, "first", first), self._decode(run_id, "last", last)

    def save_state(self, run_id: str, content: bytes) -> None:
        """Save the state of a run in a row of its own."""
        with self._engine.begin() as connection:
            key = self._key_of(connection, run_id)
            connection.execute(sa.delete(_STATES).where(_STATES.c.run == key))
            with suppress(IntegrityError), connection.begin_nested():
                # Another process may save its own at the same moment.
                row = {"run": key, "content": content}
                connection.execute(sa.insert(_STATES), row)

    def load_state(self, run_id: str) -> bytes | None:
        """Return the state of a run that was saved last."""
        with self._engine.connect() as connection:
            key = self._key_of(connection, run_id)
            query = sa.select(_STATES.c.content).where(_STATES.c.run == key)
            content: bytes | None = connection.scalar(query)
        return bytes(content) if content is not None else None

    def remove(self, run_id: str) -> None:
        """Remove the log of a run for good."""
        with self._engine.begin() as connection:
            key = self._key_of(connection, run_id)
            for column in (_STATES.c.run, _RECORDS.c.run, _RUNS.c.key):
                connection.execute(sa.delete(column.table).where(column == key))

    def list_run_ids(self) -> list[str]:
        """List the ids of all runs, sorted."""
        with self._engine.connect() as connection:
            return sorted(connection.scalars(sa.select(_RUNS.c.run_id)))


def _use_write_ahead_log(connection: Any) -> None:
    """Turn it on; SQLite itself does not wait if another process does so just now."""
    end = time.monotonic() + _LOCKED_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > end:
                raise
            time.sleep(0.01)
        else:
            return


class SqliteRunLogStore(SqlRunLogStore):
    """Keeps run logs in a file of SQLite, for processes of one machine.

    Example:
        >>> store = SqliteRunLogStore(location=str(getfixture("tmp_path") / "runs.db"))
        >>> from runnable.journal import RunStarted
        >>> first = RunStarted("", "r1", "", "", {}, {}, [])
        >>> store.create("r1", first).close()
        >>> store.list_run_ids()
        ['r1']
        >>> store.close()
    """

    service_name: str = "sqlite"
    is_local: ClassVar[bool] = True
    advice: ClassVar[str] = (
        "Check that the disk is not full, and that the file and its folder may be "
        "read and written."
    )
    location: str = ".run_log_store/runs.sqlite"
    """Relative to the working directory in which the run starts."""
    _file: Path = PrivateAttr()

    def model_post_init(self, context: object, /) -> None:
        """Fix the place now: a task may change the working directory."""
        super().model_post_init(context)
        self._file = absolute(self.location)

    def own_folder(self) -> str:
        """Return the folder."""
        return str(self._file.parent)

    def located(self, folder: str) -> dict[str, JsonValue]:
        """Return the option that names the file."""
        return {"location": f"{folder}/{self._file.name}"}

    def own_files(self) -> list[str]:
        """Return the file of the database, and what keeps git from its folder."""
        return [str(self._file), *ignore_file(self._file.parent)]

    def open(self) -> sa.Engine:
        """Open the file; make it if there is none."""
        make_own_folder(self._file.parent)
        engine = sa.create_engine(
            sa.URL.create("sqlite", database=str(self._file)),
            connect_args={"timeout": _LOCKED_SECONDS},
        )
        level = {"none": "OFF", "process": "NORMAL", "disk": "FULL"}[self.durability]

        def prepare(connection: Any, record: object) -> None:
            del record
            _use_write_ahead_log(connection)
            connection.execute("PRAGMA foreign_keys=ON")
            connection.execute(f"PRAGMA synchronous={level}")

        event.listen(engine, "connect", prepare)
        return engine

    def key(self, run_id: str) -> str:
        """Return the identity of a run, by the real path of the file."""
        return f"{self._file.resolve()} {run_id}"

    def get_summary(self) -> dict[str, str]:
        """Return the type and the location of this store."""
        return {"Type": self.service_name, "Location": str(self._file)}


class PostgresRunLogStore(SqlRunLogStore):
    """Keeps run logs in a PostgreSQL database, for processes of many machines.

    Example:
        >>> store = PostgresRunLogStore(url="postgresql://ada:secret@db/runs")
        >>> store.get_summary()["Location"]
        'postgresql://ada:***@db/runs'
    """

    service_name: str = "postgres"
    secret_options: ClassVar[frozenset[str]] = frozenset({"url"})
    url: SecretStr
    """`postgresql://user:password@host:port/database`; kept out of run logs."""

    def _target(self) -> sa.URL:
        url = sa.make_url(self.url.get_secret_value())
        return url.set(drivername="postgresql")

    def open(self) -> sa.Engine:
        """Open the database."""
        target = self._target().set(drivername="postgresql+psycopg")
        engine = sa.create_engine(target, pool_pre_ping=True)
        if self.durability != "disk":

            def prepare(connection: Any, record: object) -> None:
                del record
                connection.execute("SET synchronous_commit TO off")
                connection.commit()

            event.listen(engine, "connect", prepare)
        return engine

    def get_summary(self) -> dict[str, str]:
        """Return the type and the location of this store."""
        return {"Type": self.service_name, "Location": str(self._target())}


def _of(column: Any, key: str) -> sa.Select[Any]:
    return sa.select(column).select_from(_RECORDS).where(_RECORDS.c.run == key)


def _make_tables(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        for table in _METADATA.sorted_tables:
            connection.execute(CreateTable(table, if_not_exists=True))
