"""Effective settings of a run, by the documented precedence.

For services: an override in the caller's context, then the argument `services`, then
the configuration file, then the defaults. The configuration file is the argument, else
the option of the command line, else `RUNNABLE_CONFIGURATION_FILE`, else
`runnable-config.yaml` here, if there is one. For parameters: the argument, then
`RUNNABLE_PRM_<name>`, then the parameters file.
"""

import json
import logging
import os
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from string import Template
from typing import Any, NamedTuple, cast

from dependency_injector.containers import Container
from pydantic import BaseModel, JsonValue

from containers.plugins import KINDS
from containers.providers import ContextScoped
from runnable import defaults
from runnable.errors import ConfigurationError, did_you_mean
from runnable.graph import checked_limits
from runnable.parameters.packing import unpacked_variables
from runnable.parameters.sources import WrittenValues, read_parameters_file
from runnable.parameters.values import json_or_text, shortened
from runnable.scope import current_step, find_run
from runnable.scope.launcher import NOBODY, launcher
from runnable.scope.options import (
    NO_LIMITS,
    NamedLimits,
    Options,
    RunSettings,
    Where,
    completed,
    nowhere,
)
from runnable.system.yaml_files import read_document

logger = logging.getLogger(__name__)

_PREFIX = "RUNNABLE_"
_IS_OWN = re.compile(f"{_PREFIX}|{defaults.MUST_BE_NEW}$".encode()).match
_HOOK_KEYS = ("on_run_end", *defaults.HOOK_KEYS)
_LIMIT_KEYS = ("limits", "limits_folder")
_DEFAULTS: dict[str, dict[str, str]] = {
    "pipeline_executor": {"type": "local"},
    "job_executor": {"type": "local"},
    "run_log_store": {"type": "file-system"},
    "catalog": {"type": "file-system"},
    "pickler": {"type": "pickle"},
    "secrets": {"type": "env-secrets"},
}


class Settings:
    """Says what is in force for a run that is about to start.

    Args:
        container: Its overrides win over all configuration.
        alone: Whether files of the working directory and variables say nothing.
    """

    def __init__(self, container: Container, *, alone: bool = False) -> None:
        self._container = container
        self._alone = alone

    def __call__(self, options: Options) -> RunSettings:
        """Bring together what the caller, the environment and files say.

        Args:
            options: What the caller says.

        Returns:
            What is in force.

        Raises:
            ConfigurationError: If the configuration file or one of its keys is wrong.
            ParametersFileError: If the parameters file is.
        """
        if not self._alone:
            self._container.first_run().check(self._container)
        environment = {} if self._alone else own_variables()
        _check_arguments(options)
        if launcher() is not NOBODY:
            others = launcher().options
            if find_run() is not None:  # a nested run is not what was launched
                others = others._replace(
                    tag="",
                    written={},
                    tags={},
                    notes={},
                    only=(),
                    from_="",
                    until="",
                    inputs_from="",
                )
            options = completed(options, others)
        configuration_file = (
            options.configuration_file
            or environment.get(defaults.RUNNABLE_CONFIGURATION_FILE, "")
            or ("" if self._alone else _default_file())
        )
        parameters_file = options.parameters_file or environment.get(
            defaults.RUNNABLE_PARAMETERS_FILE, ""
        )
        named = _named(environment, defaults.VARIABLE_PREFIX)
        from_file, locations, hooks, limits = _from_file(configuration_file, named)
        given = _check_kinds(options.services, lambda _: "services")
        overridden = self._overridden()
        values, texts = _parameters(parameters_file, options, environment)
        return RunSettings(
            configuration_file=configuration_file,
            parameters_file=parameters_file,
            run_id=options.run_id or environment.get(defaults.ENV_RUN_ID, ""),
            services=self._services(from_file, given, overridden, environment),
            overrides={kind: it.override for kind, it in overridden.items()},
            locations=locations,
            parameters=values,
            texts=texts,
            variables=named,
            tag=options.tag,
            log_level=options.log_level,
            retry_indicator=environment.get(defaults.RETRY_INDICATOR, ""),
            code_ids={
                kind: environment[variable]
                for kind, variable in defaults.CODE_IDS.items()
                if environment.get(variable)
            },
            retry_run_id=options.resume or environment.get(defaults.RETRY_RUN_ID, ""),
            hooks=[*hooks, *self._hooks()],
            limits=limits,
            must_be_new=environment.get(defaults.MUST_BE_NEW) == "true",
            tags=options.tags,
            notes=options.notes,
            only=[options.only] if isinstance(options.only, str) else options.only,
            from_=options.from_,
            until=options.until,
            inputs_from=options.inputs_from,
        )

    def _services(
        self,
        from_file: Mapping[str, object],
        given: Mapping[str, object],
        overridden: Mapping[str, ContextScoped[object]],
        environment: Mapping[str, str],
    ) -> dict[str, object]:
        own = {
            kind: provider()
            for kind in KINDS
            if (provider := self._container.providers.get(kind)) is not None
            # An application's container may have a service of its own.
            and not isinstance(provider, ContextScoped)
            and kind not in given
        }
        overriding = {kind: provider() for kind, provider in overridden.items()}
        chosen = {**_DEFAULTS, **from_file, **own, **given, **overriding}
        return chosen | _elsewhere(chosen, environment)

    def _hooks(self) -> list[object]:
        found: list[object] = []
        for key in _HOOK_KEYS:
            provider = self._container.providers.get(key)
            if provider is not None and (described := provider()):
                found += _hooks_of(described, key)
        return found

    def _overridden(self) -> dict[str, ContextScoped[object]]:
        return {
            kind: provider
            for kind in KINDS
            if isinstance(
                provider := self._container.providers.get(kind), ContextScoped
            )
            and provider.is_overridden()
        }


def _elsewhere(
    services: Mapping[str, object], environment: Mapping[str, str]
) -> dict[str, object]:
    """Return the services that an executor has placed elsewhere for this process."""
    text = environment.get(defaults.SERVICE_OPTIONS)
    placed: dict[str, dict[str, object]] = json.loads(text) if text else {}
    return {kind: _placed(services[kind], more) for kind, more in placed.items()}


def _placed(service: object, more: dict[str, object]) -> object:
    if "type" in more:
        return more
    if isinstance(service, BaseModel):
        return type(service)(**service.model_dump() | more)
    described = dict(cast("Mapping[str, object]", service))
    kind = described.pop("type", "")
    config = described.pop("config", None) or described
    return {"type": kind, "config": {**cast("dict[str, object]", config), **more}}


_LONGEST_TAG = 100
"""Characters: a list of runs has room for it."""
_LONGEST_NOTE = 10_000
_MOST_TAGS = 50
_TEXTS = {
    "configuration_file": str | os.PathLike,  # pyright: ignore[reportMissingTypeArgument]  # for isinstance
    "parameters_file": str | os.PathLike,  # pyright: ignore[reportMissingTypeArgument]  # for isinstance
    "run_id": str,
    "tag": str,
    "log_level": str,
    "resume": str | None,
    "from_": str,
    "until": str,
    "inputs_from": str,
}


def _check_tags(given: Mapping[Any, Any], what: str, longest: int) -> None:
    if len(given) > _MOST_TAGS:
        raise ConfigurationError(f"{what}: there are more than {_MOST_TAGS}")
    for key, value in given.items():
        if not key or not _is_text(key, _LONGEST_TAG) or "=" in key:
            raise ConfigurationError(
                f"{what}: {shortened(key)} is no key; a key is text without =, of at "
                f"most {_LONGEST_TAG} characters"
            )
        if not _is_text(value, longest):
            raise ConfigurationError(
                f"{what}: the value of {key!r} must be text of at most {longest:,} "
                f"characters; it is {shortened(value)}"
            )


def _is_text(value: object, longest: int) -> bool:
    """Return True if something is text that a command line can hold."""
    if not isinstance(value, str) or len(value) > longest or "\0" in value:
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False  # half of a character
    return True


def _check_arguments(options: Options) -> None:
    for name in ("parameters", "services", "tags", "notes"):
        if not isinstance(getattr(options, name), Mapping):
            raise ConfigurationError(f"the argument {name!r} must be a mapping")
    _check_tags(options.tags, "tags", _LONGEST_TAG)
    _check_tags(options.notes, "notes", _LONGEST_NOTE)
    steps = cast("object", options.only)
    several = cast("Sequence[object]", steps) if isinstance(steps, Sequence) else None
    if several is None or not all(isinstance(it, str) for it in several):
        problem = "the argument 'only' must be the name of a step, or a list of names"
        raise ConfigurationError(problem)
    for name, kind in _TEXTS.items():
        if not isinstance(getattr(options, name), kind):
            raise ConfigurationError(
                f"the argument {name!r} must be text; values for the pipeline are "
                "given as execute(parameters={...})"
            )
    if options.resume == "":
        from runnable.datastore.errors import RetryValidationError

        raise RetryValidationError("", "an empty text is no run id; None begins a run")


class _FromFile(NamedTuple):
    """The content of a configuration file."""

    services: dict[str, object]
    places: dict[str, Where]
    """Where in the file the services stand, by kind."""
    hooks: list[object]
    limits: NamedLimits


def _from_file(configuration_file: str, named: Mapping[str, str]) -> _FromFile:
    if not configuration_file:
        return _FromFile({}, {}, [], NO_LIMITS)
    document = read_document(Path(configuration_file), "configuration file")
    content = _substitute(document.content, named, document.location)
    hooks: list[object] = []
    for key in [it for it in content if kind_of(it) in _HOOK_KEYS]:
        place = partial(document.location, key)
        hooks += _hooks_of(content.pop(key), kind_of(key), place)
    limits = _limits(content, document.location)
    services = _check_kinds(content, document.location)
    places: dict[str, Where] = {
        kind_of(key): partial(document.location, key) for key in content
    }
    return _FromFile(services, places, hooks, limits)


def _limits(content: dict[Any, Any], place_of: Callable[[Any], str]) -> NamedLimits:
    """Take the limits out of a configuration file."""
    limits, folder = NO_LIMITS
    for key in [it for it in content if kind_of(it) in _LIMIT_KEYS]:
        value = content.pop(key)
        try:
            if kind_of(key) == "limits":
                limits = checked_limits(value)
            else:
                folder = _folder(value)
        except ValueError as error:
            raise ConfigurationError(f"{key}: {error}", place_of(key)) from None
    if folder and not limits:
        raise ConfigurationError("limits-folder: there are no limits to share")
    return NamedLimits(limits, folder)


def _folder(value: object) -> str:
    if not value or not isinstance(value, str):
        raise ValueError(f"the path of a folder is text: {value!r}")
    return value


def _hooks_of(described: object, key: str, where: Where = nowhere) -> list[object]:
    from runnable.events.hooks import hooks_of  # most programs have none

    return [*hooks_of(described, key, where)]


def _default_file() -> str:
    default = defaults.USER_CONFIG_FILE
    return default if os.path.isfile(default) else ""


def _substitute(value: Any, named: Mapping[str, str], place: Where, *keys: Any) -> Any:
    if isinstance(value, str):
        template = Template(value)
        for name in template.get_identifiers():
            if name not in named:
                # Neither the text nor the name: it may be a part of a password.
                logger.warning(
                    "%s: what follows the $ stays as it is, since no variable "
                    "%s... says what it stands for",
                    place(*keys),
                    defaults.VARIABLE_PREFIX,
                )
        return template.safe_substitute(named)
    if isinstance(value, Mapping):
        content = cast("Mapping[object, object]", value)
        return {
            key: _substitute(item, named, place, *keys, key)
            for key, item in content.items()
        }
    if isinstance(value, list):
        return [
            _substitute(item, named, place, *keys, number)
            for number, item in enumerate(cast("list[object]", value))
        ]
    return value


def kind_of(key: object) -> str:
    """Return the kind of service that a key of a configuration file names."""
    return str(key).replace("-", "_")


def _check_kinds(
    content: Mapping[Any, object], place_of: Callable[[Any], str]
) -> dict[str, object]:
    checked: dict[str, object] = {}
    for key, value in content.items():
        kind, place = kind_of(key), place_of(key)
        if kind in checked:
            problem = f"{kind} is there twice, with dashes and with underscores"
            raise ConfigurationError(problem, place)
        if kind == "executor":
            problem = (
                "the key 'executor' is one of an older version: write "
                "'pipeline-executor', or 'job-executor' for jobs"
            )
            raise ConfigurationError(problem, place)
        if kind not in KINDS:
            known = [*KINDS, *_HOOK_KEYS, *_LIMIT_KEYS]
            problem = f"unknown key {str(key)!r}. {did_you_mean(kind, known)}"
            raise ConfigurationError(problem, place)
        if isinstance(value, str | type | None):
            problem = (
                f"{key}: {value!r} is no service; write a mapping with `type`, such as "
                f"{{'type': {_DEFAULTS[kind]['type']!r}}}, or give an instance"
            )
            raise ConfigurationError(problem, place)
        checked[kind] = value
    return checked


def _parameters(
    parameters_file: str, options: Options, environment: Mapping[str, str]
) -> tuple[dict[str, object], dict[str, JsonValue]]:
    """Return the values of all sources, and the texts of those that were text."""
    last = options.written
    given = {name: it for name, it in options.parameters.items() if name not in last}
    if not parameters_file and not environment and not last:
        return given, {}
    file = Path(parameters_file)
    read = read_parameters_file(file) if parameters_file else WrittenValues({}, {})
    packed = unpacked_variables(environment)
    read = WrittenValues(read.values | packed.values, read.texts | packed.texts)
    # Variables have no case on some systems; a name of the file keeps its own.
    spelling = {name.lower(): name for name in read.values}
    written: dict[str, JsonValue] = {
        spelling.get(name.lower(), name.lower()): text
        for name, text in _named(environment, defaults.PARAMETER_PREFIX).items()
    }
    written.update(last)
    parsed = {name: json_or_text(str(text)) for name, text in written.items()}
    texts = {**read.texts, **written}
    return (
        {**read.values, **parsed, **given},
        {name: text for name, text in texts.items() if name not in given},
    )


def own_variables() -> dict[str, str]:
    """Return the variables of the environment that are meant for this library."""
    # Each run begins by this: to decode all names takes ten times as long.
    is_real = os.supports_bytes_environ and isinstance(os.environ, type(os.environb))
    if is_real and current_step() is None:
        names = [os.fsdecode(name) for name in os.environb if _IS_OWN(name)]
    else:
        names = [name for name in os.environ if _IS_OWN(os.fsencode(name))]
    return {name: os.environ[name] for name in names}


def _named(environment: Mapping[str, str], prefix: str) -> dict[str, str]:
    return {
        variable.removeprefix(prefix): value
        for variable, value in environment.items()
        if variable.startswith(prefix)
    }
