"""A service of each kind; each field is an option in the configuration."""

import json
from pathlib import Path
from typing import BinaryIO

from runnable.catalog.file_system import FileSystemCatalog
from runnable.datastore import RunLog
from runnable.datastore.file_system import FileSystemRunLogStore
from runnable.exceptions import SecretNotFoundError
from runnable.executor.local import LocalExecutor
from runnable.pickler import BasePickler
from runnable.secrets import BaseSecrets


class TenantCatalog(FileSystemCatalog):
    """Keeps the files of each tenant in a folder of its own."""

    service_name: str = "per-tenant"
    tenant: str

    def model_post_init(self, context: object, /) -> None:
        """Go on with the tenant's folder."""
        self.catalog_location = f"{self.catalog_location}/{self.tenant}"
        super().model_post_init(context)


class NotedStore(FileSystemRunLogStore):
    """Keeps run logs in a folder, and a line for each run that has ended."""

    service_name: str = "noted"

    def finish(self, run_log: RunLog) -> None:
        """Note how a run has ended."""
        super().finish(run_log)
        with Path(self.log_folder, "ended.txt").open("a") as file:
            file.write(f"{run_log.run_id} {run_log.status}\n")


class PrefixedSecrets(BaseSecrets):
    """Finds secrets in a JSON file, under a prefix; what it returns is masked."""

    service_name: str = "prefixed"
    file: str
    prefix: str = ""

    def get(self, name: str) -> str:
        """Return a secret."""
        known = json.loads(Path(self.file).read_text())
        try:
            return str(known[self.prefix + name])
        except KeyError:
            raise SecretNotFoundError(name, self.file) from None


class JsonPickler(BasePickler):
    """Writes objects as JSON, which other programs read as well."""

    service_name: str = "json"
    extension: str = ".json"

    def dump(self, data: object, file: BinaryIO) -> None:
        """Write an object."""
        file.write(json.dumps(data).encode())

    def load(self, file: BinaryIO) -> object:
        """Read an object."""
        return json.loads(file.read())


class ToldExecutor(LocalExecutor):
    """Runs everything in this process, and prints a greeting."""

    service_name: str = "told"
    greeting: str = "Off we go"

    def adapt(self, graph, parameters):
        """Print a greeting; the graph stays as it is."""
        print(f"{self.greeting}: {graph.name or 'a pipeline'}")
        return super().adapt(graph, parameters)
