"""What it costs to run the items of a map elsewhere, in chunks.

    PYTHONPATH=. python tests/benchmarks/elsewhere.py [ITEMS]

Each row has the baseline of the same engine in the same run: a plain function, in chunks
of 64, by a pool of processes, by Dask, by Ray. Items take some milliseconds of CPU each,
or nothing: then the ratio is that of the bookkeeping, which a run log needs.
"""

import os
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from runnable import Map, Pipeline, PythonTask
from tests.support import clusters

CHUNK = 64


def work(x, loops):
    """Use some CPU."""
    total = x
    for number in range(loops):
        total += number % 7
    return total


def work_all(chunk):
    return [work(x, loops) for x, loops in chunk]


def chunks(count, loops):
    items = [(it, loops) for it in range(count)]
    return [items[at : at + CHUNK] for at in range(0, count, CHUNK)]


def by_processes(count, loops):
    with ProcessPoolExecutor(2, mp_context=get_context("forkserver")) as pool:
        list(pool.map(work_all, chunks(8, 1)))
        began = time.monotonic()
        list(pool.map(work_all, chunks(count, loops)))
        return time.monotonic() - began


def by_dask(count, loops):
    from distributed import Client

    address = clusters.executor("dask")["config"]["scheduler_address"]
    with Client(address, set_as_default=False) as client:
        client.gather(client.map(work_all, chunks(8, 1)))
        began = time.monotonic()
        client.gather(client.map(work_all, chunks(count, loops)))
        return time.monotonic() - began


def by_ray(count, loops):
    import ray

    if not ray.is_initialized():
        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    call = ray.remote(work_all)
    ray.get([call.remote(it) for it in chunks(8, 1)])
    began = time.monotonic()
    ray.get([call.remote(it) for it in chunks(count, loops)])
    return time.monotonic() - began


def ours(executor, count, loops):
    task = PythonTask(name="s", function=work, returns=["y"])
    step = Map(
        name="m",
        branch=task.as_pipeline(),
        iterate_on="xs",
        iterate_as="x",
        parallelism="process",
        max_workers=None if executor["type"] != "local" else 2,
    )
    pipeline = Pipeline(steps=[step])
    services = {"pipeline_executor": executor}

    def run(number):
        parameters = {"xs": list(range(number)), "loops": loops}
        pipeline.execute(parameters=parameters, services=services)

    run(8)
    began = time.monotonic()
    run(count)
    return time.monotonic() - began


def main(count):
    rows = {
        "processes": (by_processes, {"type": "local"}),
        "dask": (by_dask, clusters.executor("dask")),
        "ray": (by_ray, clusters.executor("ray")),
    }
    print(f"{count:,} items     bare s   ours s   ratio   ours less bare, us an item")
    for label, loops in {"5 ms": 100_000, "nothing": 0}.items():
        for name, (bare, executor) in rows.items():
            before, after = bare(count, loops), ours(executor, count, loops)
            print(
                f"{name:10s} {label:8s} {before:8.2f} {after:8.2f} "
                f"{after / before:7.2f} {1e6 * (after - before) / count:8.0f}"
            )


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
