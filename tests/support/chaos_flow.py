"""A pipeline that says which of its steps have run, and that waits where it is told to."""

import os
import time
from pathlib import Path

from runnable import Map, Pipeline, PythonTask


def _say(folder: str, what: str) -> None:
    descriptor = os.open(f"{folder}/calls", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(descriptor, f"{what}\n".encode())
    os.close(descriptor)


def _write_at_once(path: Path, text: str) -> None:
    """Write a file that is complete as soon as it exists."""
    draft = path.with_name(f"{path.name}.draft")
    draft.write_text(text)
    draft.replace(path)


def first(folder: str):
    _say(folder, "first")
    return list(range(6))


def item(folder: str, x: int):
    _say(folder, f"item{x}")
    return x * x


def hold(folder: str, squares: list):
    """Wait until a file is there, unless this step has waited before."""
    _say(folder, "hold")
    held = Path(folder, "held")
    if held.exists():
        return sum(squares)
    _write_at_once(held, str(os.getpid()))
    end = time.monotonic() + 60
    while not Path(folder, "released").exists() and time.monotonic() < end:
        time.sleep(0.05)
    return sum(squares)


def last(folder: str, total: int):
    _say(folder, "last")
    return total + 1


def build() -> Pipeline:
    """Make the pipeline."""
    branch = PythonTask(name="item", function=item, returns=["squares"]).as_pipeline()
    return Pipeline(
        steps=[
            PythonTask(name="first", function=first, returns=["xs"]),
            Map(name="m", branch=branch, iterate_on="xs", iterate_as="x"),
            PythonTask(name="hold", function=hold, returns=["total"]),
            PythonTask(name="last", function=last, returns=["end"]),
        ],
        reference="tests.support.chaos_flow:build",
    )
