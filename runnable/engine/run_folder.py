"""The folder of a run: where its tasks work with files if `workspace` is `run`."""

import shutil
import tempfile
import threading

from runnable.graph import CompositeNode, Graph, TaskNode, Workspace


def is_needed(graph: Graph, workspace: Workspace) -> bool:
    """Return True if a step of a graph works in the folder of its run.

    Args:
        graph: The graph.
        workspace: Where tasks work that do not choose.
    """
    if workspace == "run":
        return True
    return any(
        node.policy.workspace == "run"
        if isinstance(node, TaskNode)
        else isinstance(node, CompositeNode)
        and any(is_needed(it, workspace) for it in node.branches.values())
        for node in graph.nodes.values()
    )


class RunFolder:
    """A temporary folder, made when it is first needed, and removed with its run.

    Args:
        path: The folder, if another process has made it and will remove it.

    Example:
        >>> folder = RunFolder()
        >>> folder.path() == folder.path()
        True
        >>> folder.remove()
    """

    def __init__(self, path: str = "") -> None:
        self._path = path
        self._is_own = not path
        self._lock = threading.Lock()

    def path(self) -> str:
        """Return the folder; make it if there is none yet."""
        with self._lock:
            if not self._path:
                self._path = tempfile.mkdtemp(prefix="runnable-run-")
            return self._path

    def remove(self) -> None:
        """Remove it with all that is in it, if this process has made it."""
        with self._lock:
            path, self._path = self._path, ""
        if path and self._is_own:
            shutil.rmtree(path, ignore_errors=True)
