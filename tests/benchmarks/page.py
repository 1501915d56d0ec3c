"""What the web page of runs takes, with many runs and with long ones.

    PYTHONPATH=. python tests/benchmarks/page.py [RUNS [ITEMS]]

Makes so many runs (100,000), and runs of 1,000 steps and of so many items (10,000), in
a folder of its own; prints, for each page, when its first bytes came, when it was
whole, and the memory of the server.
"""

import os
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from runnable import Map, Pipeline, PythonTask, Stub, metric
from tests.support.web import served

QUIET = {
    "catalog": {"type": "do-nothing"},
    "run_log_store": {"type": "file-system", "config": {"durability": "none"}},
}


def half(x):
    return x / 2


def make(runs, items):
    step = PythonTask(name="half", function=half, returns=[metric("score")])
    pipeline = Pipeline(name="many", steps=[step])
    for number in range(runs):
        pipeline.execute(
            parameters={"x": number}, tag=f"t{number % 10}", services=QUIET
        )
    steps = [Stub(name=f"s{number}") for number in range(1_000)]
    Pipeline(name="steps", steps=steps).execute(run_id="steps", services=QUIET)
    branch = PythonTask(name="half", function=half, returns=["y"]).as_pipeline()
    fan_out = Map(name="m", branch=branch, iterate_on="xs", iterate_as="x")
    Pipeline(name="items", steps=[fan_out]).execute(
        run_id="items", parameters={"xs": list(range(items))}, services=QUIET
    )


def get(address):
    began = time.monotonic()
    with urllib.request.urlopen(address) as answer:
        first = answer.read(1)
        at_first = time.monotonic() - began
        content = first + answer.read()
    return at_first, time.monotonic() - began, content.decode()


def memory(process_id):
    status = Path(f"/proc/{process_id}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def child():
    children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text()
    return int(children.split()[-1])


def show(name, address, server):
    first, whole, content = get(address)
    note = ""
    if "Reading the run" in content:
        _, more, _ = get(address + ("&" if "?" in address else "?") + "fragment=1")
        note = f", then {more:.2f} s until it is usable"
    elif "that are being read" in content:
        note = ", while others are still being read"
    print(
        f"{name:42s} {first:6.2f} {whole:6.2f} s {memory(server):8.0f} MB{note}",
        flush=True,
    )


def main(runs, items):
    make(runs, items)
    with served() as address:
        server = child()
        print(f"{'page':42s} {'first':>6s} {'whole':>6s}   {'memory':>8s}")
        show("runs, at once", address, server)
        began = time.monotonic()
        while "that are being read" in get(address)[2]:
            time.sleep(1)
        print(f"all were read {time.monotonic() - began:.0f} s later")
        show("runs, once all are read", address, server)
        show("runs, the last page", f"{address}?page={runs // 50}", server)
        show("runs, by metric", f"{address}?metric=score>{runs / 4}", server)
        show("runs, sorted by metric", f"{address}?sort=metric:score", server)
        show("runs, searched", f"{address}?q=zz", server)
        show("pipelines", f"{address}pipelines", server)
        show("pipeline", f"{address}pipeline?name=many", server)
        for run in ("steps", "items"):
            for tab in ("overview", "attempts", "logs", "graph"):
                show(f"{run}, {tab}", f"{address}run/{run}?tab={tab}", server)
            show(f"{run}, timeline", f"{address}run/{run}/timeline", server)


if __name__ == "__main__":
    counts = [int(it) for it in sys.argv[1:]] or [100_000]
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        main(counts[0], *(counts[1:] or [10_000]))
