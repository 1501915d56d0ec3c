"""Report the source of each effective setting; used by `runnable config show`."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import cast

from containers.plugins import KINDS, Plugins
from containers.settings import Settings, own_variables
from runnable import defaults
from runnable.scope.options import Options, RunSettings, Setting, Where, nowhere
from runnable.scope.service import Service
from runnable.system.yaml_files import Document, read_document

_MASKED = "***"
_SECRET = re.compile(
    "passw|pwd|secret|token|credential|private|auth|dsn|(api|access)_?key",
    re.IGNORECASE,
)
_USER_OF_URL = re.compile(r"(?<=://)[^/@\s]*@")


class Provenance:
    """Lists what is in force, with its sources; secrets are masked.

    Args:
        settings: Says what is in force.
        plugins: Constructs the services.
    """

    def __init__(self, settings: Settings, plugins: Plugins) -> None:
        self._settings = settings
        self._plugins = plugins

    def __call__(self, options: Options) -> list[Setting]:
        """Explain a configuration.

        Args:
            options: What the caller says.

        Returns:
            Files, parameters, variables, and each option of each service.

        Raises:
            ConfigurationError: If the configuration is wrong.
        """
        settings = self._settings(options)
        return [
            *_files(settings, options),
            *self._services(settings, options),
            *_parameters(settings),
        ]

    def _services(self, settings: RunSettings, options: Options) -> Iterator[Setting]:
        for kind in KINDS:
            chosen, where = (
                settings.services[kind],
                settings.locations.get(kind, nowhere),
            )
            source = _source(kind, settings, options)
            if not isinstance(chosen, Mapping):
                yield Setting(f"{kind}.type", type(chosen).__qualname__, source)
                continue
            description = cast("Mapping[str, object]", chosen)
            service = self._plugins.make_service(kind, description, where)
            try:
                yield from _options(kind, service, description, source, where)
            finally:
                service.close()


def _source(kind: str, settings: RunSettings, options: Options) -> str:
    if kind in settings.overrides:
        return "override"
    if kind in options.services:
        return "argument"
    return settings.locations.get(kind, nowhere)() or "default"


def _options(
    kind: str,
    service: Service,
    chosen: Mapping[str, object],
    source: str,
    where: Where,
) -> Iterator[Setting]:
    yield Setting(f"{kind}.type", chosen.get("type", service.service_name), source)
    config = chosen.get("config", chosen)
    given: set[object] = set()
    if isinstance(config, Mapping):
        given.update(cast("Mapping[object, object]", config))
    within = ("config",) if "config" in chosen else ()
    for name in type(service).model_fields:
        if name in {"service_name", "service_type"}:
            continue
        value = service.describe().get(name, _MASKED)
        if name in service.secret_options:
            value = _MASKED if getattr(service, name) else None
        place = (where(*within, name) or source) if name in given else "default"
        yield Setting(f"{kind}.{name}", _masked(name, value), place)


def _files(settings: RunSettings, options: Options) -> Iterator[Setting]:
    environment = own_variables()
    for name, variable in (
        ("configuration_file", defaults.RUNNABLE_CONFIGURATION_FILE),
        ("parameters_file", defaults.RUNNABLE_PARAMETERS_FILE),
        ("run_id", defaults.ENV_RUN_ID),
        ("retry_run_id", defaults.RETRY_RUN_ID),
    ):
        value = getattr(settings, name)
        source = "found here" if value else "default"
        if getattr(options, name, ""):
            source = "option"
        elif environment.get(variable):
            source = variable
        yield Setting(name, value or None, source)


def _parameters(settings: RunSettings) -> Iterator[Setting]:
    file = _document(settings.parameters_file, "parameters file")
    by_name = {
        variable.removeprefix(defaults.PARAMETER_PREFIX).lower(): variable
        for variable in own_variables()
        if variable.startswith(defaults.PARAMETER_PREFIX)
    }
    for name, value in settings.parameters.items():
        source = by_name.get(name.lower()) or file.location(name)
        yield Setting(f"parameters.{name}", _masked(name, value), source)
    for name in settings.variables:
        # A variable may well be a password.
        source = defaults.VARIABLE_PREFIX + name
        yield Setting(f"variables.{name}", _MASKED, source)


def _document(path: str, what: str) -> Document:
    if not path:
        return Document("", {})
    return read_document(Path(path), what)


def _masked(name: str, value: object) -> object:
    """Leave out what may be a secret, by its name or its form."""
    if isinstance(value, Mapping):
        content = cast("Mapping[object, object]", value)
        return {key: _masked(str(key), it) for key, it in content.items()}
    if isinstance(value, list):
        return [_masked(name, it) for it in cast("list[object]", value)]
    if _SECRET.search(name) and value:
        return _MASKED
    if isinstance(value, str):
        return _USER_OF_URL.sub(f"{_MASKED}@", value)
    return value
