"""The options of a run, as the caller gives them and as they are resolved."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from types import MappingProxyType
from typing import NamedTuple, Protocol

from pydantic import JsonValue

Where = Callable[..., str]
"""Returns the location of a value, such as `config.yaml:3:5`, by the keys that lead to
it."""


def nowhere(*keys: object) -> str:
    """Return no location: the value is from no file."""
    del keys
    return ""


class Options(NamedTuple):
    """The options that the caller of `execute` gives; a field is empty if not given."""

    configuration_file: str = ""
    run_id: str = ""
    tag: str = ""
    parameters_file: str = ""
    log_level: str = ""
    parameters: Mapping[str, object] = MappingProxyType({})
    services: Mapping[str, object] = MappingProxyType({})
    resume: str | None = None
    """The id of a run to resume."""
    progress: bool = False
    """Whether to show the run while it runs."""
    tags: Mapping[str, str] = MappingProxyType({})
    """Tags of runs, by key."""
    notes: Mapping[str, str] = MappingProxyType({})
    """Texts about the run, by key."""
    written: Mapping[str, str] = MappingProxyType({})
    """Parameters as they were written on the command line."""
    only: Sequence[str] = ()
    """The names of the steps that are run, if it is not the whole pipeline."""
    from_: str = ""
    """The name of the step that is run first."""
    until: str = ""
    """The name of the step that is run last."""
    inputs_from: str = ""
    """The id of the run that has what the steps before have returned."""


def completed(options: Options, others: Options) -> Options:
    """Fill the options that are not given from others.

    Args:
        options: The options that are given.
        others: What holds otherwise.

    Example:
        >>> completed(Options(tag="a"), Options(tag="b", run_id="r1"))[1:3]
        ('r1', 'a')
    """
    given = {name: it for name, it in options._asdict().items() if it}
    return Options(**{**others._asdict(), **given})._replace(
        # The command line wins, key by key.
        tags={**options.tags, **others.tags},
        notes={**options.notes, **others.notes},
    )


class NamedLimits(NamedTuple):
    """How many slots there are for tasks that name what they take."""

    limits: Mapping[str, int] = MappingProxyType({})
    """By name."""
    folder: str = ""
    """Through which processes of a machine share them; empty for this process alone."""


NO_LIMITS = NamedLimits()


class RunSettings(NamedTuple):
    """The effective settings of a run, from arguments, environment and files."""

    configuration_file: str
    parameters_file: str
    run_id: str
    services: Mapping[str, object]
    """A configuration or an instance for each kind."""
    parameters: Mapping[str, object]
    texts: Mapping[str, JsonValue]
    """The texts of parameters that come from text, in the same structure."""
    overrides: Mapping[str, Callable[[object], AbstractContextManager[object]]]
    """Services that replace an override, by kind."""
    locations: Mapping[str, Where]
    """The location of each service in the configuration file, by kind."""
    variables: Mapping[str, str]
    tag: str = ""
    log_level: str = ""
    retry_run_id: str = ""
    retry_indicator: str = ""
    code_ids: Mapping[str, str] = MappingProxyType({})
    """Further identities of the code, by kind: the image, the workflow."""
    hooks: Sequence[object] = ()
    """The `events.hooks.Hook`s that are called when it, or a step of it, has ended."""
    must_be_new: bool = False
    """Whether there must be no run of its id."""
    limits: NamedLimits = NO_LIMITS
    """Those of the configuration file."""
    tags: Mapping[str, str] = MappingProxyType({})
    notes: Mapping[str, str] = MappingProxyType({})
    only: Sequence[str] = ()
    from_: str = ""
    until: str = ""
    inputs_from: str = ""


class SecretLearner(Protocol):
    """A `runnable.secrets.Masker`, as far as a launcher needs it."""

    def add(self, values: Iterable[str], names: Iterable[str] = ()) -> None:
        """Mask some values."""


class Launcher(NamedTuple):
    """Hooks and default options that the launcher of a script (the CLI) installs."""

    options: Options = Options()
    """Used for options that the script does not give."""
    ended: Callable[[object], None] | None = None
    """Called with the log of each run that has ended."""
    collect: Callable[[object, Options, object], None] | None = None
    """Called instead of starting a run, with the request, the options of the caller
    and the container, if any. So a program lists what it would run, and `execute`
    returns the log of a run that never began."""
    began: Callable[[str], None] | None = None
    """Called with the id of each run that begins."""
    masker: SecretLearner | None = None
    """Receives the secrets that runs read."""
    reference: str = ""
    """The reference by which the program was found."""


class Setting(NamedTuple):
    """An effective setting, and its source."""

    name: str
    value: object
    source: str
    """A file with line and column, a variable, an option, or `default`."""


ResolveSettings = Callable[[Options], RunSettings]
