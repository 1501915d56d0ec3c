"""One try of a step, and the files that it gets and puts."""

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from runnable import defaults
from runnable.ambient import OutputLog
from runnable.catalog import BaseCatalog, PutBy
from runnable.datastore import AnyParameter, DataCatalog
from runnable.engine.history import History
from runnable.engine.session import Session
from runnable.events import Warned
from runnable.graph import CatalogSettings, execution_log_name, parent

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Attempt:
    """One try of a step, while it goes on."""

    path: str
    number: int
    """From 1; 0 for a step with branches."""
    output: OutputLog
    outputs: dict[str, AnyParameter] = field(default_factory=dict)
    put: list[DataCatalog] = field(default_factory=list)
    got: list[DataCatalog] = field(default_factory=list)
    read: list[str] = field(default_factory=list)
    """Names of what it was given from outside its branch."""
    cache_key: str = ""
    """Where its end is kept, or found, for steps that would do the same."""
    cached_from: str = ""
    status: str = defaults.FAIL
    message: str = ""
    error: BaseException | None = None
    replaced: list[str] = field(default_factory=list)
    """The names of files that it has replaced."""


def name_of_attempt(path: str, number: int) -> str:
    """Return what catalogs call an attempt of a step.

    Args:
        path: The path of the step.
        number: That of the attempt.

    Example:
        >>> name_of_attempt("a", 2)
        'ca978112ca1bbdca-2'
    """
    return f"{hashlib.sha256(path.encode()).hexdigest()[:16]}-{number}"


async def get_files(files: CatalogSettings, attempt: Attempt, session: Session) -> None:
    """Fetch what a step gets.

    Args:
        files: What it gets.
        attempt: Notes it.
        session: The run.

    Raises:
        CatalogError: If something is not there.
    """
    for pattern in files.get:
        attempt.got += await session.off_loop(
            session.services.catalog.get_files, pattern, run_id=session.context.run_id
        )


async def put_files(files: CatalogSettings, attempt: Attempt, session: Session) -> None:
    """Keep what a step puts; what it has replaced comes back if it does not succeed.

    Args:
        files: What it puts.
        attempt: Notes it.
        session: The run.

    Raises:
        CatalogError: If something is not there.
    """
    if files.put:
        await _put(files, attempt, session, None)


async def put_leftovers(
    files: CatalogSettings, attempt: Attempt, session: Session
) -> None:
    """Keep what a failed step has left behind: it helps to find out why it failed.

    What was kept before, such as what it was given, is there for the next attempt.
    """
    if not files.put:
        return
    left = session.left_behind.setdefault(attempt.path, set())
    await _put(files, attempt, session, left)
    left.update(file.name for file in attempt.put)


async def _put(
    files: CatalogSettings, attempt: Attempt, session: Session, left: set[str] | None
) -> None:
    by = PutBy(name_of_attempt(attempt.path, attempt.number), left, attempt.replaced)
    for pattern in files.put:
        kept = await session.off_loop(
            session.services.catalog.put_files,
            pattern,
            run_id=session.context.run_id,
            store_copy=files.store_copy,
            missing_ok=left is not None,
            by=by,
        )
        attempt.put += kept
        for file in kept:
            _warn_if_replaced(file, attempt, session)


def _warn_if_replaced(file: DataCatalog, attempt: Attempt, session: Session) -> None:
    """Warn if a file takes the place of another one from a branch beside this one."""
    here = parent(attempt.path)
    before = session.files.get(file.name)
    session.files[file.name] = (here, file.data_hash)
    if before is None or before[1] == file.data_hash:
        return
    if f"{here}.".startswith(f"{before[0]}.") or f"{before[0]}.".startswith(f"{here}."):
        return  # what is in the same branch, or around it, goes on with the file
    if here and before[0]:
        text = (
            f"{file.name!r} replaces a file of this name that branch {before[0]!r} has "
            "put; let each branch write a name of its own"
        )
        logger.warning("Step %r: %s", attempt.path, text)
        session.recorder.tell(Warned(attempt.path, text))


async def settle_files(attempt: Attempt, session: Session) -> None:
    """Drop what an attempt has replaced, or bring it back; after its end is recorded.

    Args:
        attempt: The attempt.
        session: The run.
    """
    if attempt.replaced:
        catalog, run_id = session.services.catalog, session.context.run_id
        names = [name_of_attempt(attempt.path, attempt.number)]
        succeeded = attempt.status == defaults.SUCCESS
        await session.off_loop(
            catalog.settle, names, run_id=run_id, succeeded=succeeded
        )


def settle_all(
    catalog: BaseCatalog,
    run_id: str,
    history: History,
    steps: Sequence[str] | None = None,
) -> None:
    """Settle what attempts have left that were cut off, before a run goes on.

    Args:
        catalog: The catalog.
        run_id: The run.
        history: What is recorded of it.
        steps: The paths of the steps whose attempts these are; any if None.
    """
    left = set(catalog.unsettled(run_id))
    if steps is not None:
        wanted = tuple(name_of_attempt(path, 0)[:-1] for path in steps)
        left = {it for it in left if it.startswith(wanted)}
    if left:
        ended = history.succeeded()
        succeeded = {name_of_attempt(it.path, it.attempt) for it in ended}
        catalog.settle(left & succeeded, run_id=run_id, succeeded=True)
        catalog.settle(left - succeeded, run_id=run_id, succeeded=False)


async def keep_log(attempt: Attempt, session: Session, error_text: str = "") -> None:
    """Keep what an attempt has printed.

    Args:
        attempt: The attempt.
        session: The run.
        error_text: Why it has failed.
    """
    attempt.output.close()
    catalog = session.services.catalog
    await session.ask(
        catalog,
        catalog.put_text,
        execution_log_name(attempt.path, attempt.number),
        attempt.output.text() + session.masker.text(error_text),
        run_id=session.context.run_id,
    )
