"""Find out what a program would run, without running it.

Theory of operation. The program runs as ever, but each `execute` only says what it
would run, and returns the log of a run that never began. So a process that is to run
one step gets the same pipeline as the one that began the run, whatever the program
looks like.
"""

import importlib
from collections.abc import Callable
from typing import NamedTuple, cast

from runnable.exceptions import DefinitionError
from runnable.options import Launcher, Options, launched_by
from runnable.sdk.jobs import Job
from runnable.sdk.pipeline import Pipeline
from runnable.sdk.work import Work


class Planned(NamedTuple):
    """A run that a program would start."""

    work: Work
    options: Options
    """What the program says of it."""


class Collected(NamedTuple):
    """What a program would run."""

    runs: list[Planned]
    stopped: Exception | None = None
    """What the program raised after its first `execute`, which has no result here."""


class _EnoughError(BaseException):
    """Ends a program, which has said what was to be found out."""


def collect(
    program: Callable[[], object],
    options: Options = Options(),  # noqa: B008 - immutable
    check: Callable[[Work, Options], bool | None] | None = None,
) -> Collected:
    """Run a program up to its end, without the runs that it starts.

    Args:
        program: Executes pipelines or jobs, or returns one.
        options: Used where the program says nothing itself.
        check: Called with each, and with what the program says of its run. If it
            answers True, that is enough, and the program is ended there.

    Returns:
        What it would run, in order; what it returns only if it executes nothing.

    Raises:
        DefinitionError: If it executes and returns nothing of the kind.
        Exception: What the program raises before it executes anything.

    Example:
        >>> from runnable import Pipeline, Stub
        >>> pipeline = Pipeline(steps=[Stub(name="s")], name="p")
        >>> collect(pipeline.execute).runs[0].work.graph.name
        'p'
    """
    runs: list[Planned] = []

    def keep(work: object, said: Options) -> None:
        runs.append(Planned(cast("Work", work), said))
        if check is not None and check(*runs[-1]):
            raise _EnoughError

    stopped: Exception | None = None
    with launched_by(Launcher(options, collect=keep)):
        try:
            returned = program()
            if not runs and isinstance(returned, Pipeline | Job):
                returned.execute()
        except _EnoughError:
            pass
        except Exception as error:
            if not runs:
                raise
            stopped = error
    if not runs:
        raise DefinitionError("it executes no pipeline and no job, and returns none")
    return Collected(runs, stopped)


def function_named(name: str) -> Callable[[], object]:
    """Import the function that makes or executes a pipeline.

    Args:
        name: Its module and its name, `package.module.function`.

    Raises:
        DefinitionError: If there is none.
    """
    module, _, function = name.rpartition(".")
    try:
        found: object = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise DefinitionError(f"there is no function {name!r}: {error}") from error
    if not callable(found):
        raise DefinitionError(f"{name!r} is a {type(found).__name__}, not a function")
    return found
