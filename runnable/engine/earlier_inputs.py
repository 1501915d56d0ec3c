"""Begin a run with what another one has recorded.

Theory of operation. A part of a pipeline gets what the steps that it leaves out have
returned in an earlier run, and what that run began with. Values are parameters that the
new run starts with; objects, and files that its steps get, are copied to its own place
in the catalog, so that it can be read when the earlier run has been deleted.
"""

import glob
from collections.abc import Mapping
from typing import NamedTuple

from runnable import defaults
from runnable.catalog import BaseCatalog
from runnable.catalog.patterns import may_overlap
from runnable.context import RunContext
from runnable.datastore import AnyParameter
from runnable.datastore.errors import EarlierInputsError
from runnable.graph import CompositeNode, ExecutableNode, Graph, names_known
from runnable.journal import RunStarted, StepFinished, StoredObject


class EarlierInputs(NamedTuple):
    """What a run gets of an earlier one."""

    run_id: str
    parameters: Mapping[str, AnyParameter]
    objects: list[str]
    """Names of its objects in the catalog."""
    files: list[str]
    """Names of its files in the catalog."""

    def bring(self, run_id: str, catalog: BaseCatalog) -> None:
        """Copy objects and files.

        Args:
            run_id: The run that gets them.
            catalog: Where they are.

        Raises:
            CatalogError: If they cannot be copied.
        """
        if self.objects or self.files:
            kept = [*self.objects, *self.files]
            catalog.sync_between_runs(self.run_id, run_id, kept)


def earlier_inputs(run_id: str, graph: Graph, context: RunContext) -> EarlierInputs:
    """Find what an earlier run has recorded for a part of its pipeline.

    Args:
        run_id: The earlier run.
        graph: The part.
        context: That of the new run; has the stores.

    Raises:
        RunLogNotFoundError: If there is no such run.
        EarlierInputsError: If an object that is used was not stored.
    """
    wanted = names_known(graph)
    found: dict[str, AnyParameter] = {}
    put: set[str] = set()
    for record in context.services.run_log_store.read(run_id):
        if isinstance(record, RunStarted):
            found.update(record.parameters)
            put.update(_brought(record))
            for name in record.masked:
                found.pop(name, None)
        elif isinstance(record, StepFinished) and _is_before(record, graph):
            put.update(it.name for it in record.files if it.stage == "put")
            found.update({} if "." in record.path else record.outputs)
            for name in record.masked:
                found.pop(name, None)
    used = {name: it for name, it in found.items() if wanted is None or name in wanted}
    objects = [it for it in used.values() if isinstance(it, StoredObject)]
    for it in objects:
        if not it.sha256:
            raise EarlierInputsError(run_id, it.value)
    patterns = [*_gets(graph)]
    files = [
        name
        for name in sorted(put)
        if any(may_overlap(it, glob.escape(name)) for it in patterns)
    ]
    return EarlierInputs(run_id, used, [it.key for it in objects], files)


def _brought(record: RunStarted) -> list[str]:
    """Return the files that the earlier run itself got of another one."""
    part = record.run_config.get("part")
    files = part.get("files") if isinstance(part, dict) else None
    return [str(it) for it in files] if isinstance(files, list) else []


def _is_before(record: StepFinished, graph: Graph) -> bool:
    """Return True if a step succeeded that is not a part of what is run now."""
    top = record.path.partition(".")[0]
    return record.status == defaults.SUCCESS and top not in graph.nodes


def _gets(graph: Graph) -> list[str]:
    patterns: list[str] = []
    for node in graph.nodes.values():
        if isinstance(node, ExecutableNode) and node.catalog:
            patterns += node.catalog.get
        elif isinstance(node, CompositeNode):
            for branch in node.branches.values():
                patterns += _gets(branch)
    return patterns
