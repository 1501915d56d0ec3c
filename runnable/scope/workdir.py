"""Where the code of a step works with files."""

from pathlib import Path

from runnable.scope.current import current_step


def workdir() -> Path:
    """Return the folder in which the current step works with files.

    With `workspace="run"`, it is a folder of the run's own, in which its steps find
    what earlier ones have left there; it is removed when the run ends. Else it is the
    working directory, which all runs of a process share unless `workspace="isolated"`.
    Patterns of `Catalog` are relative to it, commands and notebooks work in it, and
    outside a step it is the working directory. A thread that a task starts itself is
    outside of it: ask before, and hand the path on, or use `ContextThreadPool`.

    Returns:
        An absolute path.

    Example:
        >>> from runnable import PythonTask, workdir
        >>> def write(text: str) -> str:
        ...     report = workdir() / "report.txt"
        ...     report.write_text(text)
        ...     return report.read_text()
        >>> step = PythonTask(
        ...     name="w", function=write, returns=["text"], workspace="run")
        >>> services = {"run_log_store": {"type": "memory"}}
        >>> run_log = step.as_pipeline().execute(
        ...     parameters={"text": "mine"}, services=services)
        >>> run_log.parameters["text"].value
        'mine'
    """
    step = current_step()
    return Path(step.folder) if step is not None and step.folder else Path.cwd()
