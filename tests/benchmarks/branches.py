"""What branches cost: maps of growing length, parallel branches, many runs at once.

    python tests/benchmarks/branches.py          everything, in some two minutes

CPU is that of the best of several rounds. Each row has a baseline of the same shape that
is measured here and now: the same calls through a thread pool or asyncio, without
anything that this library does.
"""

import asyncio
import gc
import os
import tempfile
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from runnable import AsyncPythonTask, Map, Parallel, Pipeline, PythonTask

MEMORY = {"run_log_store": {"type": "memory"}, "catalog": {"type": "do-nothing"}}
FILES = {"run_log_store": {"type": "file-system"}, "catalog": {"type": "file-system"}}


def work(x: int = 0) -> int:
    """Do next to nothing, so that what is measured is the library."""
    return x + 1


async def work_async() -> None:
    """Give way once."""
    await asyncio.sleep(0)


def microseconds(run: Callable[[], object], count: int, rounds: int) -> float:
    """Return CPU time per item, of the best round."""
    best = float("inf")
    for _ in range(rounds):
        gc.collect()
        before = time.process_time()
        run()
        best = min(best, time.process_time() - before)
    return 1e6 * best / count


def megabytes() -> float:
    """Return what this process has of memory now."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def mapped(**more: object) -> Pipeline:
    """Make a pipeline that maps one function over a list."""
    task = PythonTask(name="s", function=work, returns=["y"])
    branch = task.as_pipeline()
    step = Map(name="m", branch=branch, iterate_on="xs", iterate_as="x", **more)
    return Pipeline(steps=[step])


def cost_of_map(
    count: int, services: dict[str, object], rounds: int, **more: object
) -> float:
    """Return CPU per item of a map."""
    pipeline, parameters = mapped(**more), {"xs": list(range(count))}
    return microseconds(
        lambda: pipeline.execute(parameters=parameters, services=services),
        count,
        rounds,
    )


def maps() -> None:
    """Print what an item of a map costs; it stays the same as the map grows."""
    print("\nMap, CPU per item in microseconds (target: flat), and memory of a run log")
    print(f"  {'items':>8} {'one by one':>11} {'threads':>8} {'files':>8} {'MB':>6}")
    with ThreadPoolExecutor(32) as pool:
        count = 10_000
        base = microseconds(lambda: list(pool.map(work, range(count))), count, 3)
    print(f"  {'baseline':>8} {'':>11} {base:8.0f}   ThreadPoolExecutor.map")
    first = 0.0
    for count in (100, 1_000, 10_000, 100_000):
        rounds = 3 if count < 10_000 else 1
        one = cost_of_map(count, MEMORY, rounds, parallelism="none")
        threads = cost_of_map(count, MEMORY, rounds)
        files = cost_of_map(count, FILES, 1) if count <= 10_000 else float("nan")
        before = megabytes()
        run_log = mapped().execute(
            parameters={"xs": list(range(count))}, services=MEMORY
        )
        left = megabytes() - before
        assert len(run_log.steps["m"].branches) == count
        first = first or one
        print(
            f"  {count:8} {one:11.0f} {threads:8.0f} {files:8.0f} {left:6.0f}"
            f"   {one / first:.2f} of the first row, {threads / base:.0f}x the baseline"
        )


def parallel() -> None:
    """Print what ten branches cost, in threads, asyncio tasks and processes."""
    print("\n10 parallel branches, CPU per branch in microseconds")
    branch = PythonTask(name="s", function=work).as_pipeline()
    for parallelism in ("none", "thread", "process"):
        pipeline = ten(branch, parallelism)
        cost = microseconds(partial(pipeline.execute, services=MEMORY), 10, 20)
        print(f"  {parallelism:8} {cost:8.0f}")
    coroutine = ten(AsyncPythonTask(name="s", function=work_async).as_pipeline())
    cost = microseconds(
        lambda: on_a_loop(lambda: coroutine.execute_async(services=MEMORY), 1), 10, 20
    )
    print(f"  {'asyncio':8} {cost:8.0f}")


def ten(branch: Pipeline, parallelism: str | None = None) -> Pipeline:
    """Make a pipeline of ten branches."""
    branches = {f"b{number}": branch for number in range(10)}
    return Parallel(name="p", branches=branches, parallelism=parallelism).as_pipeline()


def on_a_loop(make: Callable[[], Coroutine[Any, Any, object]], count: int) -> None:
    """Run some coroutines at once."""

    async def all_of_them() -> None:
        await asyncio.gather(*(make() for _ in range(count)))

    with asyncio.Runner() as runner:
        runner.run(all_of_them())


def concurrent(count: int) -> None:
    """Print what a run of five steps costs among many."""
    pipeline = Pipeline(
        steps=[
            PythonTask(name=f"s{number}", function=work_async) for number in range(5)
        ]
    )

    async def plain() -> None:
        for _ in range(5):
            await work_async()

    base = microseconds(lambda: on_a_loop(plain, count), count, 3)
    before = megabytes()
    cost = microseconds(
        lambda: on_a_loop(lambda: pipeline.execute_async(services=MEMORY), count),
        count,
        1,
    )
    print(
        f"  {count:8} {cost:8.0f}   {cost / base:.0f}x bare coroutines ({base:.0f}), "
        f"{megabytes() - before:.0f} MB more (target at 10,000: at most 200)"
    )


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        print("Runs of 5 coroutines at once, CPU per run in microseconds, and memory")
        concurrent(1_000)
        concurrent(10_000)
        maps()
        parallel()
