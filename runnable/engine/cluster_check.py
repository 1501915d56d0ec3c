"""Find out, before a run starts, whether the workers of a cluster can do its work."""

import contextlib
import pickle
import sys
import uuid
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import cast

from runnable.context import Services
from runnable.engine.workers.protocol import LOOK_AROUND, Facts, Question
from runnable.errors import ConfigurationError
from runnable.executor import Cluster, Lost, Sealed
from runnable.graph import Graph, tasks_of
from runnable.system.main_program import is_users_own
from runnable.system.version import version


def check_cluster(cluster: Cluster, graph: Graph, services: Services) -> None:
    """Refuse a run that the workers of a cluster cannot do.

    Args:
        cluster: The cluster; it is asked what its workers see.
        graph: What is to be run.
        services: Those of the run: workers need the run log store and the catalog.

    Raises:
        ConfigurationError: If a worker has another version of this library, does not
            see the stores, or cannot import what tasks use.
    """
    modules = sorted({it for it in _modules(graph) if is_users_own(it)})
    with _markers(services) as files:
        question = Sealed(pickle.dumps(Question(modules, list(files))))
        answers = cluster.ask_all(LOOK_AROUND, question)
    problems = [
        f"worker {worker}: {problem}"
        for worker, answer in answers.items()
        for problem in _problems(answer, files)
    ]
    if problems:
        listed = "".join(f"\n    {it}" for it in problems[:10])
        raise ConfigurationError(f"{cluster.name} cannot run this pipeline:{listed}")


def _problems(answer: Sealed | Lost, files: Mapping[str, str]) -> Iterator[str]:
    if isinstance(answer, Lost):
        yield f"it has no answer, {answer.reason}. Is `runnable` installed there?"
        return
    facts = cast("Facts", pickle.loads(answer.content))
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    if facts.version != version():
        yield f"it has runnable {facts.version}; this process has {version()}"
    if facts.python.rpartition(".")[0] != here:
        yield f"it has Python {facts.python}; functions travel only to Python {here}"
    for module in facts.missing:
        yield f"it cannot import {module}; install it there, or add its folder"
    for file in facts.unseen:
        yield f"it does not see {files[file]}; configure one that all workers can reach"


@contextlib.contextmanager
def _markers(services: Services) -> Generator[dict[str, str]]:
    """Leave a file in each folder of the stores, for the length of a block.

    Yields:
        What each folder is, by the path of its file.
    """
    stores = {"run log store": services.run_log_store, "catalog": services.catalog}
    made: dict[str, str] = {}
    try:
        for kind, service in stores.items():
            if own := service.own_folder():
                folder = Path(own)
                folder.mkdir(parents=True, exist_ok=True)
                marker = folder / f".runnable-{uuid.uuid4().hex}"
                marker.touch()
                made[str(marker)] = f"the {kind} in {folder}"
        yield made
    finally:
        for it in made:
            Path(it).unlink(missing_ok=True)


def _modules(graph: Graph) -> Iterator[str]:
    """Yield the modules of functions that do not travel themselves."""
    for node in tasks_of([graph]):
        function = getattr(node.task, "function", None)
        module = getattr(function, "__module__", None) or ""
        local = "<" in getattr(function, "__qualname__", "<")
        if module and module != "__main__" and not local:
            yield module
