"""Attack what is stored; print what was attempted, and what failed.

As a script: `python tests/faults/storage_attack.py [KILLS]`, 100 for each store if nothing is
said. Runs are killed, stored objects and journals are changed, other things take the
place of files, names try to leave their folder, and files of YAML try to take all memory.
"""

import contextlib
import os
import pickle
import random
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

import killing
from figures import Figures

from runnable import (
    Catalog,
    ExecutionFailedError,
    Map,
    Pipeline,
    PythonTask,
    get_run_log,
    load_pipeline,
    pickled,
)
from runnable.exceptions import RunnableError

NAMES = [
    "../evil", "..", "/tmp/runnable-evil", "a/../../evil", "..\\evil", "a/b/../../../e",
    "evil\0", "%2e%2e/evil", "~/evil", "$HOME/evil", ".", "", "con", "a\nb", "\u202ex",
    "x" * 300, "..%c0%af", "....//evil", "file:///tmp/evil", "a" + "/.." * 9 + "/evil",
]  # fmt: skip
QUIET = {"pipeline_executor": {"type": "local", "config": {"console": "none"}}}


class Canary:
    """An object that shows that it was unpickled."""

    def __reduce__(self):
        return Path.touch, (Path("unpickled"),)


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """Work in a new folder, within another one that nothing may be written to."""
    with tempfile.TemporaryDirectory() as around:
        inside = Path(around, "inside")
        inside.mkdir()
        with contextlib.chdir(inside):
            yield inside


def killed_runs(figures: Figures, kills: int) -> None:
    """Kill runs at random moments: nothing that was said is lost or done twice."""
    for store in ("file-system", "sqlite"):
        with (
            tempfile.TemporaryDirectory() as place,
            killing.service(store, Path(place)) as described,
        ):
            for number in range(kills):
                held, why = True, ""
                try:
                    killing.kill_many(Path(place), described, 1, number)
                except AssertionError as error:
                    held, why = False, repr(error)
                figures.check(f"killed runs, {store}", held, why)


def failed_run(run_id: str = "r1") -> Pipeline:
    """Run a pipeline whose second step fails until there is a file `fixed`."""

    def use(made):
        if not Path("fixed").exists():
            raise ValueError("not yet")
        return len(made)

    make = PythonTask(name="a", function=lambda: [1] * 50, returns=[pickled("made")])
    pipeline = Pipeline(steps=[make, PythonTask(name="b", function=use, returns=["n"])])
    with contextlib.suppress(ExecutionFailedError):
        pipeline.execute(run_id=run_id, services=QUIET)
    Path("fixed").touch()
    return pipeline


def resumed(pipeline: Pipeline) -> str:
    """Resume the run; return its status, or that it was refused."""
    try:
        return pipeline.execute(resume="r1", services=QUIET).status
    except RunnableError:
        return "refused"


def changed_objects(figures: Figures) -> None:
    """Change each byte of a stored object; or put another pickle in its place."""
    with folder():
        pipeline = failed_run()
        (stored,) = Path(".catalog/r1").glob("_objects/a/*")
        content = stored.read_bytes()
        for at in range(len(content)):
            other = bytearray(content)
            other[at] ^= 1 << (at % 8)
            stored.write_bytes(other)
            figures.check("objects with a changed bit", resumed(pipeline) == "refused")
        stored.write_bytes(pickle.dumps(Canary()))
        refused = resumed(pipeline) == "refused" and not Path("unpickled").exists()
        figures.check("objects replaced by another pickle", refused)
        stored.write_bytes(content)
        figures.check("objects restored", resumed(pipeline) == "SUCCESS")


def changed_journals(figures: Figures) -> None:
    """Change bits of a journal: it is noticed, or a cut end was never acknowledged."""
    with folder():
        failed_run()
        (journal,) = Path(".run_log_store").glob("*.jsonl")
        content = journal.read_bytes()
        whole = get_run_log("r1").model_dump_json()
        for at in range(0, len(content), 7):
            other = bytearray(content)
            other[at] ^= 1 << (at % 7)
            journal.write_bytes(other)
            try:
                noticed = get_run_log("r1").model_dump_json() == whole
            except RunnableError:
                noticed = True
            figures.check("journals with a changed bit", noticed, at)


def no_files(figures: Figures) -> None:
    """Put a named pipe, a link or a folder in place of each file of a run."""
    kinds = {
        "a named pipe": os.mkfifo,
        "a folder": os.mkdir,
        "a link to nothing": lambda path: os.symlink("nothing", path),
        "a link to itself": lambda path: os.symlink(path.name, path),
        "a link to a device": lambda path: os.symlink("/dev/zero", path),
    }
    for kind, make in kinds.items():
        with folder():
            pipeline = failed_run()
            (stored,) = Path(".catalog/r1").glob("_objects/a/*")
            stored.unlink()
            make(stored)
            figures.check(f"objects replaced by {kind}", resumed(pipeline) == "refused")
        with folder():
            pipeline = failed_run()
            (journal,) = Path(".run_log_store").glob("*.jsonl")
            journal.unlink()
            make(journal)
            figures.check(
                f"journals replaced by {kind}", resumed(pipeline) == "refused"
            )


def names(figures: Figures) -> None:
    """Use names that lead elsewhere, wherever a name becomes part of a path."""

    def execute(name: str, how: str) -> None:
        task = PythonTask(name="t", function=lambda: {1}, returns=[pickled("o")])
        options: dict = {"services": QUIET, "run_id": "r1"}
        if how == "run ids":
            options["run_id"] = name
        elif how == "step names":
            task = PythonTask(name=name, function=lambda: {1}, returns=[pickled("o")])
        elif how == "files that are put":
            task = PythonTask(name="t", function=int, catalog=Catalog(put=[name]))
        elif how == "files that are got":
            task = PythonTask(name="t", function=int, catalog=Catalog(get=[name]))
        elif how == "names of objects":
            task = PythonTask(name="t", function=lambda: {1}, returns=[pickled(name)])
        steps = [task]
        if how == "items of maps":
            options["parameters"] = {"xs": [name]}
            branch = PythonTask(
                name="b", function=lambda x: {x}, returns=[pickled("o")]
            ).as_pipeline()
            steps = [Map(name="m", branch=branch, iterate_on="xs", iterate_as="x")]
        Pipeline(steps=steps).execute(**options)

    for how in (
        "run ids", "step names", "files that are put", "files that are got",
        "names of objects", "items of maps",
    ):  # fmt: skip
        for name in NAMES:
            with folder() as inside:
                outside = inside.parent / "evil"
                outside.write_text("secret")
                why = ""
                try:
                    execute(name, how)
                except (RunnableError, ValueError):
                    pass
                except Exception as error:
                    why = repr(error)
                beside = sorted(it.name for it in inside.parent.iterdir())
                leaks = [
                    it
                    for it in inside.rglob("*")
                    if it.is_file() and it.read_bytes() == b"secret"
                ]
                held = beside == ["evil", "inside"] and not leaks and not why
                held = held and outside.read_text() == "secret"
                figures.check(
                    f"names that lead elsewhere: {how}", held, f"{name!r} {why}"
                )


def bombs(figures: Figures) -> None:
    """Read files of YAML that would become very large, or are no pipelines."""
    alias = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
    )
    texts = {
        "aliases": alias,
        "nesting": "dag: " + "[" * 20_000,
        "a tag": "dag: !!python/object/apply:pathlib.Path.touch [unpickled]\n",
        "itself": "dag: &a [*a]\n",
        "merge keys": "a: &a {b: 1}\n" + "c:\n" + "  <<: *a\n" * 9,
        "a long number": f"dag: {'9' * 100_000}\n",
        "no text": "dag: \0\x01\x02",
    }
    for kind, text in texts.items():
        for what in ("pipeline", "parameters"):
            with folder():
                Path("file.yaml").write_text(text)
                why = ""
                try:
                    if what == "pipeline":
                        load_pipeline("file.yaml").execute(services=QUIET)
                    else:
                        task = PythonTask(name="t", function=lambda: 1)
                        task.as_pipeline().execute(
                            parameters_file="file.yaml", services=QUIET
                        )
                except RunnableError:
                    pass
                except Exception as error:
                    why = repr(error)
                held = not why and not Path("unpickled").exists()
                figures.check(f"YAML, {what}", held, f"{kind}: {why}")


def attack(kills: int) -> Figures:
    """Make all attacks."""
    figures = Figures()
    random.seed(0)
    for attempt in (changed_objects, changed_journals, no_files, names, bombs):
        attempt(figures)
    killed_runs(figures, kills)
    return figures


if __name__ == "__main__":
    found = attack(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
    print(found.table())
    sys.exit(bool(found.failed))
