"""What stores cost: a record, a run read, a list; large objects through the catalog.

Run as `python tests/benchmarks/stores.py`; `QUICK=1` for a tenth of everything. Ratios
are to appending the same bytes to a file, to `numpy.save` and to plain pickle, measured
in the same run.
"""

import os
import pickle
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

import killing
import numpy as np
import pandas as pd

from containers.plugins import Plugins
from runnable.catalog.file_system import FileSystemCatalog
from runnable.datastore import RunFinished, RunStarted, StepFinished
from runnable.datastore.codec import encode
from runnable.pickler.native import NativePickler

PART = 10 if os.environ.get("QUICK") else 1
RECORDS, RUNS = 2_000 // PART, 10_000 // PART
MEGABYTES, ROWS = 500 // PART, 1_000_000 // PART
START = RunStarted("2026-01-31 10:00:00.000000", "r", "", "h", {}, {}, [])
STEP = StepFinished(
    "2026-01-31 10:00:01.000000", "s", "SUCCESS", {}, [], message="x" * 500
)
END = RunFinished("2026-01-31 10:00:02", "SUCCESS", {"x": 1}, "2026-01-31 10:00:00")


def seconds(function: Callable[[], object]) -> float:
    begun = time.perf_counter()
    function()
    return time.perf_counter() - begun


def append_lines(path: Path) -> None:
    line = encode(STEP)
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    for _ in range(RECORDS):
        os.write(descriptor, line)
    os.close(descriptor)


def stores(folder: Path) -> None:
    plain = seconds(lambda: append_lines(folder / "plain")) / RECORDS
    print(f"append a line to a file: {plain * 1e6:.0f} us")
    for kind in killing.STORES:
        with killing.service(kind, folder) as service:
            store = Plugins().make_service("run_log_store", service)
            measure_store(kind, store, plain)
            store.close()


def write(store, run_id: str, records=(START, END)) -> None:
    first, *others = records
    journal = store.create(run_id, first)
    for record in others:
        journal.append(record)
    journal.close()


def measure_store(kind: str, store, plain: float) -> None:
    append = seconds(lambda: write(store, "long", [STEP] * RECORDS)) / RECORDS
    read = seconds(lambda: list(store.read("long"))) / RECORDS
    begun = seconds(lambda: [write(store, f"r{n}") for n in range(RUNS)])
    listed = seconds(store.list_runs)
    print(
        f"{kind:12} append {append * 1e6:6.0f} us ({append / plain:5.0f}x a line), "
        f"read {read * 1e6:5.0f} us a record, list {RUNS} runs {listed:6.2f} s, "
        f"begin and end {begun / RUNS * 1e6:.0f} us a run"
    )


def objects(folder: Path) -> None:
    array = np.random.default_rng(0).random(MEGABYTES * 131_072)
    table = pd.DataFrame({
        "n": np.arange(ROWS),
        "x": array[:ROWS],
        "text": np.arange(ROWS).astype(str),
    })
    target = folder / "plain"

    def pickled():
        with target.open("wb") as file:
            pickle.dump(table, file, protocol=5)

    def unpickled():
        with target.open("rb") as file:
            pickle.load(file)

    array_file = folder / "plain.npy"
    through(
        folder,
        f"array of {MEGABYTES} MB, of numpy.save",
        array,
        lambda: np.save(array_file, array),
        lambda: np.load(array_file),
    )
    through(folder, f"frame of {ROWS} rows, of pickle", table, pickled, unpickled)


def through(folder: Path, what: str, data, write, read) -> None:
    catalog = FileSystemCatalog(catalog_location=str(folder))
    pickler = NativePickler()
    kept = []

    def put():
        kept.append(
            catalog.put_object(
                "s", "o.pickle", lambda file: pickler.dump(data, file), run_id="r"
            )
        )

    def get():
        with catalog.open_verified(kept[0].key, kept[0].sha256, run_id="r") as file:
            pickler.load(file)

    ours, theirs = (seconds(put), seconds(get)), (seconds(write), seconds(read))
    print(
        f"{what}: put {ours[0]:.2f} s ({ours[0] / theirs[0]:.1f}x), "
        f"get {ours[1]:.2f} s ({ours[1] / theirs[1]:.1f}x)"
    )


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        stores(Path(place))
        objects(Path(place))
