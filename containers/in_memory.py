"""A container for tests: nothing is written but below a folder that they choose."""

from collections.abc import Callable
from pathlib import Path

from dependency_injector import providers

from containers.run import RunContainer
from containers.settings import Settings
from runnable.catalog.file_system import FileSystemCatalog
from runnable.datastore.memory import MemoryRunLogStore
from runnable.secrets.environment import EnvSecrets


def in_memory_container(folder: Callable[[], Path]) -> RunContainer:
    """Make a container that keeps run logs in memory.

    What is configured around it, in files or by variables, does not count; secrets are
    those of the environment.

    Args:
        folder: Returns where the catalog keeps files; called when there are any runs.

    Returns:
        The container; each has stores of its own.

    Example:
        >>> from runnable import Stub
        >>> mine = in_memory_container(lambda: getfixture("tmp_path"))
        >>> _ = Stub(name="s").as_pipeline().execute(run_id="r1", container=mine)
        >>> mine.run_log_store().list_run_ids()
        ['r1']
    """
    made = RunContainer()

    def catalog() -> FileSystemCatalog:
        return FileSystemCatalog(catalog_location=str(folder() / "catalog"))

    for kind, make in (
        ("run_log_store", MemoryRunLogStore),
        ("catalog", catalog),
        ("secrets", EnvSecrets),
    ):
        made.set_provider(kind, providers.ThreadSafeSingleton(make))
    made.set_provider(
        "settings",
        providers.Callable(lambda *own: Settings(own[0] if own else made, alone=True)),
    )
    return made
