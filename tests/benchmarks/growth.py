"""Draw how costs grow: steps of a chain, items of a map, runs in a list.

    python tests/benchmarks/growth.py docs/pictures/growth.svg

What does not grow is a flat line. CPU time inside the process; one measurement each, so
points differ by what the machine does besides.
"""

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import branches
import matplotlib as mpl
import stores
import targets

from containers.plugins import Plugins

STEPS = (10, 100, 1_000, 10_000)
ITEMS = (100, 1_000, 10_000, 100_000)
RUNS = (100, 1_000, 10_000, 100_000)


def seconds(function: Callable[[], object]) -> float:
    began = time.process_time()
    function()
    return time.process_time() - began


def step(count: int, services: dict) -> float:
    """Return microseconds a step of a chain."""
    pipeline = targets.chain(count)
    given = {"parameters": {"x": 0}, "services": services}
    return 1e6 * seconds(lambda: pipeline.execute(**given)) / count


def item(count: int) -> float:
    """Return microseconds an item of a map."""
    pipeline, given = branches.mapped(), {"xs": list(range(count))}
    run = lambda: pipeline.execute(parameters=given, services=targets.MEMORY)
    return 1e6 * seconds(run) / count


def listed(count: int, kind: str) -> float:
    """Return microseconds a run of a list."""
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        store = Plugins().make_service("run_log_store", {"type": kind})
        for number in range(count):
            stores.write(store, f"r{number}")
        took = seconds(store.list_runs)
        store.close()
        os.chdir("/")
    return 1e6 * took / count


CURVES = {
    "steps of a chain": {
        "memory": (STEPS, lambda count: step(count, targets.MEMORY)),
        "default services": (STEPS, lambda count: step(count, {})),
    },
    "items of a map": {"memory": (ITEMS, item)},
    "runs in a list": {
        "files": (RUNS, lambda count: listed(count, "file-system")),
        "SQLite": (RUNS, lambda count: listed(count, "sqlite")),
    },
}


def draw(target: Path) -> None:
    """Measure all, and draw them."""
    mpl.use("svg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, len(CURVES), figsize=(11, 3.2), layout="tight")
    for axis, (title, curves) in zip(axes, CURVES.items(), strict=True):
        for name, (counts, cost) in curves.items():
            costs = [cost(count) for count in counts]
            print(title, name, [round(it, 1) for it in costs], flush=True)
            axis.plot(counts, costs, marker="o", label=name)
        axis.set(xscale="log", title=title, xlabel="how many", ylim=(0, None))
        axis.set_ylabel("microseconds each")
        axis.legend()
    figure.savefig(target, metadata={"Date": None})


if __name__ == "__main__":
    path = Path(sys.argv[1]).absolute()
    with tempfile.TemporaryDirectory() as place:
        os.chdir(place)
        targets.chain(2).execute(parameters={"x": 0}, services=targets.MEMORY)
        draw(path)
        os.chdir("/")
