"""How many records are decoded, and how long it takes, when each step joins the run.

Run as `python tests/benchmarks/joining.py [STEPS ...]`. Each step is run by a call of
its own that joins the run, as the commands of a cluster do, but in this process. The
ratio compares records that were decoded with records that there are; it stays flat.
"""

import contextlib
import sys
import tempfile
import time

from runnable import Pipeline, PythonTask
from runnable.datastore import file_system, segment_file
from runnable.datastore.file_system import FileSystemRunLogStore
from runnable.engine import Iteration
from runnable.scope.options import Options
from runnable.sdk.single_step import SingleStepRequest, run_single_step

STEPS = (10, 20, 40, 100, 300, 1000)


def increment(n: int) -> int:
    return n + 1


@contextlib.contextmanager
def counting():
    """Count the records that are decoded."""
    counts = [0]
    real = segment_file.decode

    def count(line):
        counts[0] += 1
        return real(line)

    modules = (segment_file, file_system)
    for module in modules:
        module.decode = count
    try:
        yield counts
    finally:
        for module in modules:
            module.decode = real


def measure(steps: int) -> tuple[int, int, float]:
    """Run each step of a chain by a call of its own.

    Returns:
        Records that were decoded, records that there are, and milliseconds a step.
    """
    pipeline = Pipeline(
        steps=[
            PythonTask(name=f"s{number}", function=increment, returns=["n"])
            for number in range(steps)
        ]
    )
    with tempfile.TemporaryDirectory() as folder, counting() as counts:
        services = {
            "run_log_store": {
                "type": "file-system",
                "config": {"log_folder": f"{folder}/logs"},
            },
            "catalog": {"type": "do-nothing"},
        }
        options = Options(run_id="r1", parameters={"n": 0}, services=services)
        began = time.process_time()
        for name in [*(f"s{number}" for number in range(steps)), "success"]:
            asked = SingleStepRequest(pipeline.execute, name, Iteration(), options)
            assert run_single_step(asked).succeeded
        took = time.process_time() - began
        decoded = counts[0]
        store = FileSystemRunLogStore(log_folder=f"{folder}/logs")
        records = sum(1 for _ in store.read("r1"))
    return decoded, records, took / steps * 1000


def main(*given: str) -> None:
    print("steps   records   decoded   ratio   ms a step")
    for steps in map(int, given or map(str, STEPS)):
        decoded, records, took = measure(steps)
        ratio = decoded / records
        print(f"{steps:5} {records:9} {decoded:9} {ratio:7.1f} {took:11.2f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
