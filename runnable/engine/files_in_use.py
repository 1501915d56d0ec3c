"""Notice runs that use the same files of one working directory at the same time."""

import itertools
import threading
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from typing import NamedTuple

from runnable.catalog.patterns import may_overlap
from runnable.context import RunContext
from runnable.graph import Graph, Workspace
from runnable.scope import Run


class _Use(NamedTuple):
    """The files that one run uses in a folder that others can use."""

    run_id: str
    root: str
    """The outermost run that it is nested in, or itself."""
    folder: str
    patterns: tuple[str, ...]


class FilesInUse:
    """Knows which active runs of a container get and put files in shared folders."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._uses: dict[int, _Use] = {}
        self._numbers = itertools.count()

    @contextmanager
    def used_by(
        self, context: RunContext, graph: Graph, workspace: Workspace
    ) -> Generator[str]:
        """Note what a run uses, for the length of a block.

        Args:
            context: Describes the run; has its catalog.
            graph: Its graph.
            workspace: Where its tasks work, unless they choose.

        Yields:
            A warning, if an active run uses a file that this one uses; else empty.
        """
        patterns = tuple(
            pattern
            for pattern, own in graph.file_patterns
            if (own or workspace) == "shared"
        )
        catalog = context.services.catalog
        if not patterns or not catalog.keeps_objects:
            yield ""
            return
        root = _root(context.run) if context.run is not None else context.run_id
        use = _Use(context.run_id, root, str(catalog.compute_folder), patterns)
        number = next(self._numbers)
        with self._lock:
            others = list(self._uses.values())
            self._uses[number] = use
        try:
            yield _warning(use, others)
        finally:
            with self._lock:
                del self._uses[number]


def _root(run: Run) -> str:
    while run.outer is not None:
        run = run.outer
    return run.context.run_id


def _warning(use: _Use, others: Iterable[_Use]) -> str:
    for other in others:
        if other.root == use.root or other.folder != use.folder:
            continue
        for mine, theirs in itertools.product(use.patterns, other.patterns):
            if may_overlap(mine, theirs):
                return (
                    f"its steps get or put {mine!r} in {use.folder}, and so does run "
                    f"{other.run_id}, which is active: each may read what the other "
                    "one has written. Set workspace: run, and write to "
                    "runnable.workdir(); or workspace: isolated"
                )
    return ""
