"""Begin a run with what another one has recorded.

Theory of operation. A part of a pipeline gets what the steps that it leaves out have
returned in an earlier run, and what that run began with. Values are parameters that the
new run starts with; objects, and files that its steps get, are copied to its own place
in the catalog, so that it can be read when the earlier run has been deleted.
"""

import glob
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from runnable import defaults
from runnable.catalog import BaseCatalog
from runnable.catalog.patterns import may_overlap
from runnable.context import RunContext
from runnable.datastore import AnyParameter
from runnable.datastore.errors import EarlierInputsError
from runnable.graph import (
    CompositeNode,
    ExecutableNode,
    Graph,
    Surroundings,
    names_known,
)
from runnable.journal import RunStarted, StepFinished, StoredObject


class EarlierInputs(NamedTuple):
    """Inputs of a run from an earlier one."""

    run_id: str
    parameters: Mapping[str, AnyParameter]
    objects: list[str]
    """Names of its objects in the catalog."""
    files: Mapping[str, str]
    """The hashes of its files in the catalog, by name; empty if they are not known."""
    secrets: frozenset[str]
    """Names of secrets that were read there."""
    lost: frozenset[str]
    """Names of parameters that had a secret in them, so that they are not recorded."""

    def bring(self, run_id: str, catalog: BaseCatalog) -> None:
        """Copy objects and files.

        Args:
            run_id: The run that gets them.
            catalog: Where they are.

        Raises:
            CatalogError: If they cannot be copied, or a file was replaced later.
        """
        for name, digest in self.files.items():
            if digest:
                with catalog.open_verified(name, digest, run_id=self.run_id):
                    pass
        if self.objects or self.files:
            kept = [*self.objects, *self.files]
            catalog.sync_between_runs(self.run_id, run_id, kept)


def earlier_inputs(
    run_id: str, graph: Graph, around: Surroundings, context: RunContext
) -> EarlierInputs:
    """Find what an earlier run has recorded for a part of its pipeline.

    Args:
        run_id: The earlier run.
        graph: The part.
        around: The steps around it.
        context: That of the new run; has the stores.

    Raises:
        RunLogNotFoundError: If there is no such run.
        EarlierInputsError: If an object that is used was not stored.
    """
    found: dict[str, AnyParameter] = {}
    between: dict[str, AnyParameter] = {}
    files: dict[str, str] = {}
    secrets: set[str] = set()
    lost: set[str] = set()
    for record in context.services.run_log_store.read(run_id):
        if isinstance(record, RunStarted):
            _add(found, record.parameters, record.masked, lost)
            files |= dict.fromkeys(_strings_of_part(record, "files"), "")
            secrets.update(secrets_of_part(record))
        elif isinstance(record, StepFinished):
            secrets.update(record.secrets)
            top = record.path.partition(".")[0]
            if record.status != defaults.SUCCESS or top not in (
                around.before | around.between
            ):
                continue
            files |= {it.name: it.data_hash for it in record.files if it.stage == "put"}
            if record.path == top:
                into = found if top in around.before else between
                _add(into, record.outputs, record.masked, lost)
    # What a step in between returned is not what the steps before it are given.
    used = _used({**between, **found}, graph)
    objects = [it for it in used.values() if isinstance(it, StoredObject)]
    for it in objects:
        if not it.sha256:
            raise EarlierInputsError(run_id, it.value)
    patterns = _gets(graph)
    wanted = {
        name: digest
        for name, digest in sorted(files.items())
        if any(may_overlap(it, glob.escape(name)) for it in patterns)
    }
    keys = [it.key for it in objects]
    read, lost = frozenset(secrets), lost - used.keys()
    return EarlierInputs(run_id, used, keys, wanted, read, frozenset(lost))


def _add(
    found: dict[str, AnyParameter],
    more: Mapping[str, AnyParameter],
    masked: Iterable[str],
    lost: set[str],
) -> None:
    """Add parameters, but for those that are not recorded as they were."""
    lost.difference_update(more)
    found.update(more)
    for name in masked:
        found.pop(name, None)
        lost.add(name)


def _used(found: dict[str, AnyParameter], graph: Graph) -> dict[str, AnyParameter]:
    wanted = names_known(graph)
    return {name: it for name, it in found.items() if wanted is None or name in wanted}


def secrets_of_part(record: RunStarted) -> list[str]:
    """Return the names of secrets that may be in what a run got of an earlier one.

    Args:
        record: Its first one.
    """
    return _strings_of_part(record, "secrets")


def _strings_of_part(record: RunStarted, key: str) -> list[str]:
    part = record.run_config.get("part")
    found = part.get(key) if isinstance(part, dict) else None
    return [str(it) for it in found] if isinstance(found, list) else []


def _gets(graph: Graph) -> list[str]:
    patterns: list[str] = []
    for node in graph.nodes.values():
        if isinstance(node, ExecutableNode) and node.catalog:
            patterns += node.catalog.get
        elif isinstance(node, CompositeNode):
            for branch in node.branches.values():
                patterns += _gets(branch)
    return patterns
