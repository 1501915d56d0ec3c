"""Where the files of a run's services are, for a process in a container."""

import json
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from pydantic import JsonValue

from runnable import defaults
from runnable.context import Services

SECRETS_FOLDER = "/run/secrets/runnable"
_FOLDERS = {"run_log_store": "/tmp/run_logs/", "catalog": "/tmp/catalog/"}  # noqa: S108 - in the container, as version 0.50 has them


class Mount(NamedTuple):
    """A folder of this machine that a container is to see."""

    kind: str
    """The service that it belongs to."""
    here: str
    there: str
    options: Mapping[str, JsonValue]
    """By which the service finds it there."""


def mounts_of(services: Services) -> list[Mount]:
    """Return the folders of the run log store and the catalog.

    Args:
        services: Those of the run.

    Returns:
        One for each of the two that keeps its files in a folder of this machine.
    """
    found: list[Mount] = []
    for kind, there in _FOLDERS.items():
        service = getattr(services, kind)
        if folder := service.own_folder():
            options = service.located(there.rstrip("/"))
            found.append(Mount(kind, folder, there, options))
    return found


def variables_of(mounts: Iterable[Mount], secrets: Iterable[str]) -> dict[str, str]:
    """Return the variables by which a process finds what is mounted for it.

    Args:
        mounts: The folders of its services.
        secrets: The names of secrets that are in files, in `SECRETS_FOLDER`.
    """
    options: dict[str, JsonValue] = {it.kind: dict(it.options) for it in mounts}
    if list(secrets):
        config: dict[str, JsonValue] = {"folder": SECRETS_FOLDER}
        options["secrets"] = {"type": "files", "config": config}
    return {defaults.SERVICE_OPTIONS: json.dumps(options)} if options else {}
