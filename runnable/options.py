"""What a caller says about a run, and what is in force for it."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from types import MappingProxyType
from typing import NamedTuple


class Options(NamedTuple):
    """What the caller of `execute` says; empty where nothing is said."""

    configuration_file: str = ""
    run_id: str = ""
    tag: str = ""
    parameters_file: str = ""
    log_level: str = ""
    parameters: Mapping[str, object] = MappingProxyType({})
    services: Mapping[str, object] = MappingProxyType({})
    resume: str = ""
    """The id of a run that is to go on."""


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
    places: Mapping[str, str]
    """The file that says which service, by kind."""
    variables: Mapping[str, str]
    retry_run_id: str = ""


ResolveSettings = Callable[[Options], RunSettings]
