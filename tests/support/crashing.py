"""Runs that kill themselves at a named point: before or after something is kept.

Run as `python crashing.py FOLDER SERVICE`: SERVICE is the JSON of a run log store. Each
run has a folder of its own; each line on standard output is the number of a run and the
point at which it killed itself, `end` for one that came to its end.
"""

import functools
import itertools
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from containers.plugins import Plugins
from runnable import Catalog, Pipeline, PythonTask, pickled
from runnable.catalog.file_system import FileSystemCatalog

WRITING = ("append", "create")


class Points:
    """Counts what is kept, and kills the process at one of them."""

    def __init__(self, number: int, when: str) -> None:
        self._number = number
        self._when = when
        self.count = 0

    def passing(self, method: Callable[..., object]) -> Callable[..., object]:
        """Make a method one that is counted."""

        @functools.wraps(method)
        def call(*args, **kwargs):
            self.count += 1
            is_here = self.count == self._number
            name = f"{self._when} {method.__name__}"
            if method.__name__ == "append":
                name += f" {type(args[-1]).__name__}"
            if method.__name__ == "create":
                name += f" {type(args[1]).__name__}"
            if is_here and self._when == "before":
                die(name)
            if is_here and self._when == "amid" and method.__name__ in WRITING:
                os.write = functools.partial(write_half, name, os.write)
            result = method(*args, **kwargs)
            if is_here and self._when == "after":
                die(name)
            return result

        return call


def write_half(name, write, descriptor, content):
    write(descriptor, content[: len(content) // 2])
    os.write = write
    die(name)


def die(name: str) -> None:
    os.write(1, f"{os.path.basename(os.getcwd())} {name}\n".encode())
    os.kill(os.getpid(), signal.SIGKILL)


def services(service: dict, points: Points) -> dict[str, object]:
    class Store(Plugins().find("run_log_store", service["type"])):
        def create(self, run_id, first):
            journal = points.passing(super().create)(run_id, first)
            journal.append = points.passing(journal.append)
            return journal

    store, catalog = Store(**service["config"]), FileSystemCatalog()
    for owner, name in (
        (store, "finish"),
        (catalog, "put_object"),
        (catalog, "put_files"),
        (catalog, "close_attempts"),
    ):
        object.__setattr__(owner, name, points.passing(getattr(owner, name)))
    return {"run_log_store": store, "catalog": catalog}


def make(n: int):
    noted("make")
    Path("out.txt").write_text("kept")
    return n + 1, {"complex": 1j}


def use(thing: dict, n: int) -> int:
    noted("use")
    with open("out.txt", "a") as file:
        file.write(" once")
    return n + len(thing)


def noted(name: str) -> None:
    with open("calls.txt", "a") as file:
        file.write(f"{name}\n")


def build() -> Pipeline:
    return Pipeline(
        steps=[
            PythonTask(
                name="make",
                function=make,
                returns=["n", pickled("thing")],
                catalog=Catalog(put=["out.txt"]),
            ),
            PythonTask(
                name="use",
                function=use,
                returns=["n"],
                catalog=Catalog(get=["out.txt"], put=["out.txt"]),
            ),
        ]
    )


def run_in_child(folder: Path, service: dict, number: int, when: str) -> bool:
    """Run once; say whether there is such a point."""
    folder.mkdir()
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1] != 0
    os.chdir(folder)
    points = Points(number, when)
    build().execute(
        run_id=folder.name,
        parameters={"n": 0},
        services=services(service, points),
    )
    os.write(1, f"{folder.name} end\n".encode())
    os._exit(points.count >= number)


def main(place: str, service: str) -> None:
    # Only files are written by a call of our own that may end in the middle.
    is_file = json.loads(service)["type"] == "file-system"
    for when in ("before", "after", *["amid"] * is_file):
        for number in itertools.count(1):
            folder = Path(place) / f"{when}-{number}"
            if not run_in_child(folder, json.loads(service), number, when):
                break


if __name__ == "__main__":
    main(*sys.argv[1:])
