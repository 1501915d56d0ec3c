"""What reads input from anybody, each as a function of bytes; for fuzzing.

Each may raise errors of ours, and nothing else.
"""

import contextlib
from collections.abc import Callable
from pathlib import Path

from containers import container
from containers.settings import Settings
from runnable.datastore.file_system import FileSystemRunLogStore
from runnable.exceptions import RunnableError
from runnable.parameters.sources import read_parameters_file
from runnable.parameters.values import json_or_text
from runnable.scope.options import Options
from runnable.sdk.services import PORTS, close_all, make_services
from runnable.sdk.yaml_pipeline import load_pipeline


def pipeline(content: bytes) -> None:
    """Read a pipeline file."""
    Path("fuzzed.yaml").write_bytes(content)
    load_pipeline("fuzzed.yaml")


def configuration(content: bytes) -> None:
    """Read a configuration file, and make its services."""
    Path("fuzzed.yaml").write_bytes(content)
    settings = Settings(container)(Options(configuration_file="fuzzed.yaml"))
    _, made = make_services(settings, PORTS)
    close_all(made)


def parameters(content: bytes) -> None:
    """Read a parameters file, and a variable."""
    Path("fuzzed.yaml").write_bytes(content)
    json_or_text(content.decode(errors="replace"))
    read_parameters_file(Path("fuzzed.yaml"))


def journal(content: bytes) -> None:
    """Read the journal of a run, and list it."""
    _read("fuzzed.000001.jsonl", content)


def snapshot(content: bytes) -> None:
    """Read the readable copy of a run log."""
    _read("fuzzed.json", content)


def _read(name: str, content: bytes) -> None:
    for file in Path("logs").glob("*") if Path("logs").is_dir() else ():
        file.unlink()
    Path("logs").mkdir(exist_ok=True)
    Path("logs", name).write_bytes(content)
    store = FileSystemRunLogStore(log_folder="logs")
    store.list_runs()
    store.get_run_log_by_id("fuzzed")


READERS: dict[str, Callable[[bytes], None]] = {
    "pipeline": pipeline,
    "configuration": configuration,
    "parameters": parameters,
    "journal": journal,
    "snapshot": snapshot,
}


def survives(reader: str, content: bytes) -> bool:
    """Read something; say whether it was accepted. Only errors of ours may come."""
    with contextlib.suppress(RunnableError):
        READERS[reader](content)
        return True
    return False
