"""Implementations by kind and type name, through entry points."""

import inspect
from collections.abc import Iterator, Mapping
from functools import cached_property
from importlib.metadata import EntryPoint, distributions
from typing import NamedTuple, cast

from pydantic import ValidationError

from runnable.errors import ConfigurationError, ServiceNotFoundError, did_you_mean
from runnable.scope.options import Where, nowhere
from runnable.scope.service import Service

KINDS = (
    "pipeline_executor",
    "job_executor",
    "run_log_store",
    "catalog",
    "secrets",
    "pickler",
)
"""The kinds of services; each is also the entry point group of its implementations."""


_EXTRAS = {
    "obstore": "s3",
    "sqlalchemy": "sql",
    "psycopg": "sql",
    "nbclient": "notebook",
}
"""Which extra brings a module that implementations of ours need."""


class Installed(NamedTuple):
    """One implementation that is installed."""

    kind: str
    name: str
    package: str
    value: str
    """Its module and class."""
    problem: str
    """Why it cannot be used; empty if it can."""


class Plugins:
    """The implementations that are installed; they are looked up once."""

    def __init__(self) -> None:
        self._loaded: dict[tuple[str, str], type[object]] = {}
        self._shared: dict[tuple[str, str], Service] = {}

    @cached_property
    def _entry_points(self) -> dict[str, dict[str, EntryPoint]]:
        found: dict[str, dict[str, EntryPoint]] = {}
        for distribution in distributions():
            for entry_point in distribution.entry_points:
                # The first one on the path is the one that an import would find.
                names = found.setdefault(entry_point.group, {})
                names.setdefault(entry_point.name, entry_point)
        return found

    def names(self, kind: str) -> list[str]:
        """List the type names that a kind has, sorted."""
        return sorted(self._entry_points.get(kind, {}))

    def installed(self) -> Iterator["Installed"]:
        """Yield the installed classes of all kinds, and why one cannot be loaded."""
        for kind in (*KINDS, "tasks", "nodes"):
            for name in self.names(kind):
                entry_point = self._entry_points[kind][name]
                problem = ""
                try:
                    self.find(kind, name)
                except ConfigurationError as error:
                    problem = str(error)
                owner = entry_point.dist.name if entry_point.dist else ""
                yield Installed(kind, name, owner, entry_point.value, problem)

    def find(self, kind: str, name: str, place: str = "") -> type[object]:
        """Find an implementation.

        Args:
            kind: Such as `catalog`; also the entry point group.
            name: Such as `file-system`.
            place: The location in a file, for errors.

        Returns:
            The class.

        Raises:
            ServiceNotFoundError: If there is none; lists those there are.
            ConfigurationError: If its package fails to import.

        Example:
            >>> Plugins().find("catalog", "do-nothing").__name__
            'DoNothingCatalog'
        """
        loaded = self._loaded.get((kind, name))
        if loaded is not None:
            return loaded
        entry_point = self._entry_points.get(kind, {}).get(name)
        if entry_point is None:
            raise ServiceNotFoundError(kind, name, self.names(kind), place)
        try:
            found = entry_point.load()
        except ModuleNotFoundError as error:
            owner = entry_point.dist.name if entry_point.dist else "unknown package"
            extra = _EXTRAS.get(error.name or "")
            hint = f"; pip install 'runnable[{extra}]'" if extra else ""
            problem = f"the {kind} {name!r} of {owner} cannot be loaded: {error}{hint}"
            raise ConfigurationError(problem, place) from error
        except (Exception, SystemExit) as error:
            # Whatever the module of a third party raises when it is imported.
            owner = entry_point.dist.name if entry_point.dist else "unknown package"
            problem = (
                f"the {kind} {name!r} of {owner} cannot be loaded from "
                f"{entry_point.value!r}: {type(error).__name__}: {error}"
            )
            raise ConfigurationError(problem, place) from error
        if not inspect.isclass(found):
            problem = f"the {kind} {name!r} ({entry_point.value}) is not a class"
            raise ConfigurationError(problem, place)
        self._loaded[kind, name] = found
        return found

    def make_service(
        self, kind: str, description: Mapping[str, object], where: Where = nowhere
    ) -> Service:
        """Construct a service from its configuration.

        Args:
            kind: Such as `catalog`.
            description: `{"type": name, "config": {option: value}}`; without
                `config`, the keys beside `type` are the options.
            where: Says where in a file its keys are, for errors.

        Returns:
            The service.

        Raises:
            ConfigurationError: If the description names no type, an unknown type or
                an unknown option, or an option has a wrong value. The values of
                options are not repeated, since secrets may be among them.
        """
        name = description.get("type")
        if not isinstance(name, str):
            wrong = " ".join(
                did_you_mean(str(key), ["type", "config"]) for key in description
            )
            problem = f"{kind}: say which with `type`, one of {self.names(kind)}. "
            raise ConfigurationError(problem + wrong, where())
        options = _options(kind, name, description, where())
        if not options and (shared := self._shared.get((kind, name))) is not None:
            return shared
        implementation = self.find(kind, name, where("type"))
        try:
            service = implementation(**options)
        except ValidationError as error:
            findings = _explain(kind, description, implementation, error)
            within = ("config",) if "config" in description else ()
            (option, problem), *more = findings
            for other, text in more:
                place = where(*within, other)
                problem += f"\n{place}: {text}" if place else f"; {text}"
            place = where(*within, option)
            raise ConfigurationError(problem, place) from None
        if not isinstance(service, Service):
            problem = f"{kind} {name!r} is no runnable.scope.service.Service"
            raise ConfigurationError(problem, where())
        if service.stateless and not options:
            self._shared[kind, name] = service
        return service


def _options(
    kind: str, name: str, description: Mapping[str, object], place: str
) -> Mapping[str, object]:
    beside = {key: value for key, value in description.items() if key != "type"}
    config = beside.pop("config", beside)
    if config is None:
        config = {}
    if not isinstance(config, Mapping) or (beside and config is not beside):
        extra = ", ".join(map(repr, beside)) or "it is no mapping"
        problem = f"{kind}: `config` must hold all options of {name!r}: {extra}"
        raise ConfigurationError(problem, place)
    options = cast("Mapping[object, object]", config)
    return {str(option).replace("-", "_"): it for option, it in options.items()}


def _explain(
    kind: str,
    description: Mapping[str, object],
    implementation: type[object],
    error: ValidationError,
) -> list[tuple[str, str]]:
    """Return what is wrong with which option."""
    fields: Mapping[str, object] = getattr(implementation, "model_fields", {})
    options = [key for key in fields if not key.startswith("service_")]
    if "config" not in description:
        options.append("config")
    findings: list[tuple[str, str]] = []
    for finding in error.errors(include_input=False, include_url=False):
        option = ".".join(str(part) for part in finding["loc"])
        problem = f"option {option!r}: {finding['msg']}"
        if finding["type"] == "extra_forbidden":
            problem = f"unknown option {option!r}. {did_you_mean(option, options)}"
        what = f"{kind} of type {description['type']!r}"
        name = str(finding["loc"][0]) if finding["loc"] else ""
        findings.append((name, f"{what}: {problem}"))
    return findings
