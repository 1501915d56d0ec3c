"""A run of 50 steps that says which steps have ended, until it is killed.

Run as `python killed_run.py FOLDER SERVICE`: SERVICE is the JSON of a run log store; each
line on standard output is the name of a step whose end has been recorded.
"""

import json
import os
import sys

from containers.plugins import Plugins
from runnable import Pipeline, PythonTask
from runnable.datastore import StepFinished

STEPS = 50


def telling(service: dict) -> object:
    """Make a store that says what it has kept, as somebody who relies on it would."""

    class Telling(Plugins().find("run_log_store", service["type"])):
        def create(self, run_id, first):
            journal = super().create(run_id, first)
            append = journal.append

            def tell(*records):
                append(*records)
                for it in records:
                    if isinstance(it, StepFinished):
                        os.write(1, f"{it.path}\n".encode())

            journal.append = tell
            return journal

    return Telling(**service["config"])


def work(n: int) -> int:
    with open("calls.txt", "a") as file:
        file.write(f"s{n}\n")
    return n + 1


def build() -> Pipeline:
    return Pipeline(
        steps=[
            PythonTask(name=f"s{number}", function=work, returns=["n"])
            for number in range(STEPS)
        ]
    )


def main(folder: str, service: str) -> None:
    os.chdir(folder)
    store = telling(json.loads(service))
    os.write(1, b"ready\n")
    build().execute(
        run_id=os.path.basename(folder),
        parameters={"n": 0},
        services={"run_log_store": store},
    )
    os.write(1, b"done\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
