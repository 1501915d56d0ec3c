"""What a caller says about a run, and what is in force for it."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from types import MappingProxyType
from typing import NamedTuple, cast

from runnable.scope import current_scope, set_overrides

Where = Callable[..., str]
"""Says where something stands, such as `config.yaml:3:5`, given the keys that lead to
it."""


def nowhere(*keys: object) -> str:
    """Say nothing: no file says it."""
    del keys
    return ""


class Options(NamedTuple):
    """What the caller of `execute` says; empty where nothing is said."""

    configuration_file: str = ""
    run_id: str = ""
    tag: str = ""
    parameters_file: str = ""
    log_level: str = ""
    parameters: Mapping[str, object] = MappingProxyType({})
    services: Mapping[str, object] = MappingProxyType({})
    resume: str | None = None
    """The id of a run that is to go on."""


def completed(options: Options, others: Options) -> Options:
    """Use other options where nothing is said.

    Args:
        options: What is said.
        others: What holds otherwise.

    Example:
        >>> completed(Options(tag="a"), Options(tag="b", run_id="r1"))[1:3]
        ('r1', 'a')
    """
    said = {name: it for name, it in options._asdict().items() if it}
    return Options(**{**others._asdict(), **said})


class RunSettings(NamedTuple):
    """What is in force for a run: arguments, environment and files together."""

    configuration_file: str
    parameters_file: str
    run_id: str
    services: Mapping[str, object]
    """A configuration or an instance for each kind."""
    parameters: Mapping[str, object]
    overrides: Mapping[str, Callable[[object], AbstractContextManager[object]]]
    """What overrides a service that is overridden already, by kind."""
    places: Mapping[str, Where]
    """Where the file says which service, by kind."""
    variables: Mapping[str, str]
    tag: str = ""
    log_level: str = ""
    retry_run_id: str = ""
    retry_indicator: str = ""


class Launcher(NamedTuple):
    """Who starts the program that executes pipelines, such as the command line."""

    options: Options = Options()
    """Used where the program says nothing itself."""
    ended: Callable[[object], None] | None = None
    """Called with the log of each run that has ended."""
    collect: Callable[[object, Options, object], None] | None = None
    """Called instead of starting a run, with what would be run, what is said of it, and
    the container, if any. So a program says what it would run, and `execute` returns
    the log of a run that never began."""
    began: Callable[[str], None] | None = None
    """Called with the id of each run that begins."""


NOBODY = Launcher()
_PROGRAM = [NOBODY]
"""Who starts the program of this process, the innermost last."""


def launcher() -> Launcher:
    """Return who started the program; nobody in particular, unless somebody said so."""
    found = current_scope().overrides.get(Launcher)
    return cast("Launcher", found[-1]) if found else _PROGRAM[-1]


@contextmanager
def launched_by(who: Launcher) -> Iterator[None]:
    """Say who starts what is called within the block.

    Args:
        who: Options, and what is to be called.

    Example:
        >>> with launched_by(Launcher(Options(tag="nightly"))):
        ...     launcher().options.tag
        'nightly'
    """
    before = current_scope().overrides
    set_overrides({**before, Launcher: (who,)})
    try:
        yield
    finally:
        set_overrides(before)


@contextmanager
def program_launched_by(who: Launcher) -> Iterator[None]:
    """Say who starts the program of this process, in all its threads.

    Only for who has the process to itself, such as the command line: what holds in a
    context comes first.

    Args:
        who: Options, and what is to be called.
    """
    _PROGRAM.append(who)
    try:
        yield
    finally:
        if not _others_go_on():  # what they still begin is of the same program
            _PROGRAM.remove(who)


def _others_go_on() -> bool:
    here = threading.current_thread()
    return any(it is not here and not it.daemon for it in threading.enumerate())


def not_launched() -> AbstractContextManager[None]:
    """Have what is called within a block run for real, whoever started the program."""
    return launched_by(NOBODY)


class Setting(NamedTuple):
    """Something that is in force, and who says so."""

    name: str
    value: object
    source: str
    """A file with line and column, a variable, an option, or `default`."""


ResolveSettings = Callable[[Options], RunSettings]
