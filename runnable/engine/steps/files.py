"""Get, put and restore the files of an attempt; keep its execution log."""

from itertools import chain

from runnable import defaults
from runnable.catalog import BaseCatalog, PutBy
from runnable.datastore import DataCatalog
from runnable.engine.environment import RunEnvironment
from runnable.engine.replaced_files import name_of_attempt
from runnable.engine.steps.attempt import Attempt
from runnable.graph import CatalogSettings, execution_log_name, parent
from runnable.scope.service import Service


def catalog_of(attempt: Attempt, env: RunEnvironment) -> BaseCatalog:
    """Return the catalog, with the folder in which a step works."""
    catalog = env.services.catalog
    return catalog.in_folder(attempt.folder) if attempt.folder else catalog


async def get_files(
    files: CatalogSettings, attempt: Attempt, env: RunEnvironment
) -> None:
    """Fetch what a step gets.

    Args:
        files: What it gets.
        attempt: Notes it.
        env: The environment of the run.

    Raises:
        CatalogError: If something is not there.
    """
    catalog = catalog_of(attempt, env)
    for pattern in files.get:
        attempt.got += await env.off_loop(catalog.get_files, pattern, run_id=env.run_id)


async def put_files(
    files: CatalogSettings, attempt: Attempt, env: RunEnvironment
) -> None:
    """Keep what a step puts; what it has replaced comes back if it does not succeed.

    Args:
        files: What it puts.
        attempt: Notes it.
        env: The environment of the run.

    Raises:
        CatalogError: If something is not there.
    """
    await _put(files, attempt, env, None)


async def put_leftovers(
    files: CatalogSettings, attempt: Attempt, env: RunEnvironment
) -> None:
    """Keep what a failed step has left behind: it helps to find out why it failed.

    What was kept before, such as what it was given, is there for the next attempt.
    """
    if not files.put:
        return
    left = env.left_behind.setdefault(attempt.path, set())
    await _put(files, attempt, env, left)
    left.update(file.name for file in attempt.put)


async def _put(
    files: CatalogSettings, attempt: Attempt, env: RunEnvironment, left: set[str] | None
) -> None:
    name = name_of_attempt(attempt.path, attempt.number)
    own = [it for service in env.services for it in _own_files(service)]
    by = PutBy(name, left, attempt.replaced, env.masker.hides, own)
    catalog = catalog_of(attempt, env)
    for pattern in files.put:
        kept = await env.off_loop(
            catalog.put_files,
            pattern,
            run_id=env.run_id,
            store_copy=files.store_copy,
            missing_ok=left is not None,
            by=by,
        )
        attempt.put += kept
        for file in kept:
            _warn_if_replaced(file, attempt, env)


def _own_files(service: object) -> list[str]:
    return service.own_files() if isinstance(service, Service) else []


def _warn_if_replaced(file: DataCatalog, attempt: Attempt, env: RunEnvironment) -> None:
    """Warn if a file takes the place of another one from a branch beside this one."""
    here = parent(attempt.path)
    before = env.files.get(file.name)
    env.files[file.name] = (here, file.data_hash)
    if before is None or before[1] == file.data_hash:
        return
    if f"{here}.".startswith(f"{before[0]}.") or f"{before[0]}.".startswith(f"{here}."):
        return  # later steps of this branch, or around it, continue with the file
    if here and before[0]:
        text = (
            f"{file.name!r} replaces a file of this name that branch {before[0]!r} has "
            "put; let each branch write a name of its own"
        )
        env.warn(attempt.path, text)


async def close_attempt(attempt: Attempt, env: RunEnvironment) -> None:
    """Drop or restore what an attempt has replaced, after its end was recorded.

    Args:
        attempt: The attempt.
        env: The environment of the run.
    """
    catalog, run_id = env.services.catalog, env.run_id
    names = [name_of_attempt(attempt.path, attempt.number)]
    succeeded = attempt.status == defaults.SUCCESS
    await env.off_loop(
        catalog.close_attempts, names, run_id=run_id, succeeded=succeeded
    )


async def keep_log(attempt: Attempt, env: RunEnvironment, error_text: str = "") -> None:
    """Store the output of an attempt, if it has any.

    Args:
        attempt: The attempt.
        env: The environment of the run.
        error_text: The error, if it failed.
    """
    output = attempt.output
    output.close()
    if attempt.live_log is not None:
        await env.off_loop(attempt.live_log.finish)
    if output.is_empty and not error_text:
        return
    catalog = env.services.catalog
    name = execution_log_name(attempt.path, attempt.number)
    texts = chain(output.texts(), [env.masker.text(error_text)])
    if output.is_long:
        await env.ask(catalog, catalog.put_long_text, name, texts, run_id=env.run_id)
    else:
        text = "".join(texts)
        await env.ask(catalog, catalog.put_text, name, text, run_id=env.run_id)
