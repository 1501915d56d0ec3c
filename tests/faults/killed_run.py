"""A run of 50 steps that says which steps have ended, until it is killed.

Run as `python killed_run.py FOLDER`: each line on standard output is the name of a step
whose end has been recorded.
"""

import os
import sys

from runnable import Pipeline, PythonTask
from runnable.datastore import StepFinished
from runnable.datastore.file_system import FileSystemRunLogStore


class Telling(FileSystemRunLogStore):
    """Says what it has kept, the way somebody who relies on it would."""

    def create(self, run_id):
        journal = super().create(run_id)
        append = journal.append

        def tell(record):
            append(record)
            if isinstance(record, StepFinished):
                os.write(1, f"{record.path}\n".encode())

        journal.append = tell
        return journal


def work(n: int) -> int:
    with open("calls.txt", "a") as file:
        file.write(f"s{n}\n")
    return n + 1


def build() -> Pipeline:
    return Pipeline(
        steps=[
            PythonTask(name=f"s{number}", function=work, returns=["n"])
            for number in range(50)
        ]
    )


def main(folder: str) -> None:
    os.chdir(folder)
    os.write(1, b"ready\n")
    build().execute(
        run_id="r1", parameters={"n": 0}, services={"run_log_store": Telling()}
    )
    os.write(1, b"done\n")


if __name__ == "__main__":
    main(sys.argv[1])
