"""Measure one thing in one process, under this or the older version.

    python worker.py FOLDER STEPS STORE ROUNDS

Prints a line of JSON. Written for both versions, so it uses what both have: a function
of the module that builds, executes and returns the pipeline.
"""

import contextlib
import gc
import io
import json
import os
import resource
import sys
import time
from pathlib import Path

SERVICES = {
    "memory": {
        "run_log_store": {"type": "memory"},
        "catalog": {"type": "do-nothing"},
    },
    "file-system": {},
}
CONFIGURATION = {
    "memory": (
        "run-log-store: {type: buffered}\ncatalog: {type: do-nothing}\n"
        "pipeline-executor: {type: local, config: {object_serialisation: false}}\n"
    ),
    "file-system": "run-log-store: {type: file-system}\ncatalog: {type: file-system}\n",
}
steps = int(sys.argv[2]) if len(sys.argv) > 2 else 1


def noop():
    """Do nothing, so that what is measured is the library."""


def main():
    """Build, execute and return a pipeline of no-op steps."""
    from runnable import Pipeline, PythonTask

    pipeline = Pipeline(
        steps=[PythonTask(name=f"s{number}", function=noop) for number in range(steps)]
    )
    measured.append(time.process_time())
    # Here, because the older version looks for the function that calls execute().
    pipeline.execute(**arguments)
    measured.append(time.process_time())
    return pipeline


def execute(pipeline):
    """Execute a pipeline once more, and note what it costs."""
    measured.append(time.process_time())
    pipeline.execute(**arguments)
    measured.append(time.process_time())


measured: list[float] = []
arguments: dict[str, object] = {"configuration_file": "configuration.yaml"}


def forget():
    """Make the older version run again: it remembers its first run."""
    from runnable import context

    context.set_run_context(None)
    for name in [name for name in os.environ if name.startswith("RUNNABLE_")]:
        del os.environ[name]


def measure(folder: str, store: str, rounds: int) -> dict[str, float]:
    """Return CPU seconds of the best round, and peak memory."""
    os.chdir(folder)
    Path("configuration.yaml").write_text(CONFIGURATION[store])
    # The older version imports this module again, by its name under the folder.
    Path("worker.py").write_text(Path(__file__).read_text())
    sys.path.insert(0, folder)
    sys.setrecursionlimit(100_000)  # the older version needs it for a thousand steps
    import worker

    import runnable

    worker.steps = steps
    if hasattr(runnable, "inject"):
        # Here a pipeline is a value that is executed any number of times.
        worker.arguments = {"services": SERVICES[store]}
        pipeline = worker.main()
        worker.main = lambda: worker.execute(pipeline)
    best = float("inf")
    for _ in range(rounds):
        gc.collect()
        worker.measured.clear()
        worker.main()
        best = min(best, worker.measured[-1] - worker.measured[0])
        forget()
    peak_kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"cpu_seconds": best, "peak_megabytes": peak_kilobytes / 1024}


if __name__ == "__main__":
    with contextlib.redirect_stdout(io.StringIO()):
        result = measure(sys.argv[1], sys.argv[3], int(sys.argv[4]))
    print(json.dumps(result))
