"""Reuse what a step returned before, if nothing that it depends on has changed.

Theory of operation. The key of a step is a hash over what it does (the code of a
function, the text of a command), what it is given (values, and the hashes of objects),
and the files it has fetched. The catalog keeps, under that key, the record in which
such a step ended, and the run it belongs to. A run that reuses it gets copies of the
objects and files, so that it can be read when the other run has been deleted.
"""

import glob
import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pydantic import JsonValue

from runnable.catalog import BaseCatalog, PutBy
from runnable.catalog.errors import CatalogError
from runnable.datastore import (
    DataCatalog,
    StepFinished,
)
from runnable.datastore.codec import DamagedLineError, decode, encode
from runnable.datastore.parameters import to_plain
from runnable.engine.parameter_scope import ParameterScope
from runnable.graph import NO_FILES, TaskNode
from runnable.journal import StoredObject
from runnable.parameters import to_json
from runnable.tasks import BaseTaskType, Call

logger = logging.getLogger(__name__)

_FORMAT = 3
"""Part of every key: what another format has kept is not found."""


class Reused(NamedTuple):
    """The end of a step that was run before."""

    run_id: str
    finished: StepFinished

    def bring(self, run_id: str, catalog: BaseCatalog, by: PutBy) -> None:
        """Give a run what that step has kept, and the compute folder its files.

        Raises:
            CatalogError: If it is not there any more, or is not what it was.
        """
        put = [file for file in self.finished.files if file.stage == "put"]
        kept = {file.name: file.data_hash for file in put} | {
            it.key: it.sha256
            for it in self.finished.outputs.values()
            if isinstance(it, StoredObject)
        }
        for name, digest in kept.items():
            # A later step of that run may have put another file of this name.
            with catalog.open_verified(name, digest, run_id=self.run_id):
                pass
        catalog.sync_between_runs(self.run_id, run_id, list(kept), by=by)
        for file in put:
            catalog.get_files(glob.escape(file.name), run_id=run_id)


def key_of(
    node: TaskNode,
    task: BaseTaskType,
    call: Call,
    names: Sequence[str],
    scope: ParameterScope,
    fetched: Sequence[DataCatalog],
    environment: Mapping[str, str],
) -> str:
    """Return the cache key of a step: equal if it would do the same again.

    Args:
        node: The step.
        task: What it runs.
        call: The call that it is about to make.
        names: Those of the parameters that it was given.
        scope: Where its parameters are.
        fetched: The files that it has got.
        environment: The variables that it sees of the branches it is in.

    Returns:
        64 hexadecimal digits; empty if it was given an object that is in memory only.
    """
    found = {name: scope.find(name) for name in names}
    inputs = {name: it for name, it in found.items() if it is not None}
    given: JsonValue
    if callable(node.policy.cache):
        given = to_json(node.policy.cache(*call.args, **call.kwargs), "cache")
    elif any(isinstance(it, StoredObject) and not it.sha256 for it in inputs.values()):
        return ""
    else:
        by_name: dict[str, JsonValue] = {
            name: it.sha256 if isinstance(it, StoredObject) else to_plain({"": it})
            for name, it in inputs.items()
        }
        given = [by_name, dict(environment)]
    content = {
        "format": _FORMAT,
        "does": task.identity(),
        "given": given,
        "fetched": sorted([file.name, file.data_hash] for file in fetched),
        "puts": (node.catalog or NO_FILES).describe(),
    }
    text = json.dumps(content, sort_keys=True)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def recall(key: str, run_id: str, catalog: BaseCatalog, by: PutBy) -> Reused | None:
    """Find what was kept under a key, and give it to a run.

    Args:
        key: That of a step.
        run_id: The run.
        catalog: The catalog.
        by: The attempt that it is for.

    Returns:
        The end of the step; None if it has to be run.
    """
    try:
        text = catalog.recall(key)
        if text is None:
            return None
        entry = json.loads(text)
        finished = decode(entry["record"].encode())
        if not isinstance(finished, StepFinished):
            raise DamagedLineError("it is no end of a step")
        reused = Reused(entry["run_id"], finished)
        reused.bring(run_id, catalog, by)
    except (CatalogError, OSError, ValueError, KeyError, TypeError) as error:
        # The other run may have been deleted; what is here is then made again.
        logger.info("Nothing is reused: %s", error)
        return None
    return reused


def remember(
    key: str, run_id: str, finished: StepFinished, catalog: BaseCatalog
) -> None:
    """Keep the end of a step for those that would do the same.

    Args:
        key: That of the step.
        run_id: The run it belongs to.
        finished: Its end, as recorded.
        catalog: The catalog.
    """
    hashes = (it.sha256 for it in finished.outputs.values() if it.kind == "object")
    if finished.masked or not all(hashes):
        return  # what is recorded is not what it returned
    entry = {"run_id": run_id, "record": encode(finished).decode()}
    try:
        catalog.remember(key, json.dumps(entry), run_id=run_id)
    except Exception:
        # The step has ended, and this is recorded: it will be run again, no more.
        logger.exception("The end of step %r is not kept for others", finished.path)
