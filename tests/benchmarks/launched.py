"""What a launched step costs the process that launches it.

    PYTHONPATH=. python tests/benchmarks/launched.py [emulator|docker|podman|kubernetes ...]

First, chains of steps whose launcher only records that they have ended: the cost a step
must not grow with the length of the chain. Then 100 steps by each executor that is
named: CPU of this process, and of the processes that it waits for, for each step. What
an executor imports is not part of that: one step goes before.
"""

import os
import resource
import sys
import tempfile
import time
from pathlib import Path

from runnable import Pipeline, Stub
from runnable.datastore import StepFinished, StepStarted
from runnable.datastore.file_system import FileSystemRunLogStore
from runnable.executor import BasePipelineExecutor, ExecutionOptions, StepReport

AT = "2026-01-31 11:00:00.000000"


class Recorded:
    """A step that is recorded as if another process had run it."""

    def __init__(self, store, request):
        self.store, self.request = store, request

    def wait(self):
        path = self.request.path
        journal = self.store.join(self.request.run_id)
        journal.append(StepStarted(AT, path, path, "stub", 1))
        journal.append(StepFinished(AT, path, "SUCCESS", {}, []))
        journal.close()
        return StepReport(True, "")

    def stop(self):
        """Do nothing."""


class Recording(BasePipelineExecutor):
    """Launches nothing, and records that it has."""

    service_name: str = "recording"

    @property
    def options(self):
        return ExecutionOptions(launcher=self)

    def launch(self, request):
        return Recorded(FileSystemRunLogStore(), request)

    def close(self):
        """Do nothing."""


def chain(length):
    steps = [Stub(name=f"s{number}") for number in range(length)]
    return Pipeline(steps=steps, reference="tests.benchmarks.launched:hundred")


def hundred():
    """Make the pipeline that other processes find."""
    return chain(100)


def one():
    """Make the pipeline of the first step."""
    steps = [Stub(name="s0")]
    return Pipeline(steps=steps, reference="tests.benchmarks.launched:one")


def cpu(who):
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime


def measured(pipeline, executor):
    here, others = cpu(resource.RUSAGE_SELF), cpu(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    pipeline.execute(services={"pipeline_executor": executor})
    return (
        cpu(resource.RUSAGE_SELF) - here,
        cpu(resource.RUSAGE_CHILDREN) - others,
        time.monotonic() - began,
    )


def main(kinds):
    print("steps, recorded only    CPU here, ms a step")
    measured(chain(10), Recording())
    for length in (250, 500, 1_000, 2_000):
        used, _, _ = measured(chain(length), Recording())
        print(f"{length:6,}                {1e3 * used / length:8.2f}")
    print("100 steps by            CPU here    CPU of its processes    wall, ms a step")
    for kind in kinds or ["emulator"]:
        executor = _executor(kind)
        measured(one(), executor)
        here, others, wall = measured(hundred(), executor)
        print(f"{kind:20s} {10 * here:10.1f} {10 * others:16.1f} {10 * wall:22.1f}")


def _executor(kind):
    from tests.support.executors import executor_of

    return executor_of(kind, Path.cwd())


if __name__ == "__main__":
    root = Path(__file__).parents[2]
    os.environ["PYTHONPATH"] = str(root)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        main(sys.argv[1:])
