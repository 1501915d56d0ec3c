"""Files that unfinished attempts have replaced: drop the backups, or restore them."""

import hashlib
from collections.abc import Sequence

from runnable import defaults
from runnable.catalog import BaseCatalog
from runnable.journal import RunState


def name_of_attempt(path: str, number: int) -> str:
    """Return the name that catalogs use for an attempt of a step.

    Args:
        path: The path of the step.
        number: The number of the attempt.

    Example:
        >>> name_of_attempt("a", 2)
        'ca978112ca1bbdca-2'
    """
    return f"{hashlib.sha256(path.encode()).hexdigest()[:16]}-{number}"


def close_dead_attempts(
    catalog: BaseCatalog,
    run_id: str,
    state: RunState,
    paths: Sequence[str] | None = None,
) -> None:
    """Drop or restore the backups of attempts that were cut off.

    Args:
        catalog: The catalog.
        run_id: The run.
        state: The state of its records.
        paths: The paths of the steps; any step if None.
    """
    left = set(catalog.open_attempts(run_id))
    if paths is not None:
        prefixes = tuple(name_of_attempt(path, 0)[:-1] for path in paths)
        left = {it for it in left if it.startswith(prefixes)}
    if left:
        succeeded = {
            name_of_attempt(step.path, step.started.attempt)
            for step in state.steps_below("")
            if step.status == defaults.SUCCESS
        }
        catalog.close_attempts(left & succeeded, run_id=run_id, succeeded=True)
        catalog.close_attempts(left - succeeded, run_id=run_id, succeeded=False)
