"""What a run costs: a direct call, our synchronous and asynchronous run, a request.

Run as `python tests/benchmarks/overhead.py`.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

import httpx
import service_load

from runnable import Pipeline, PythonTask

TIMES = 2000
IN_MEMORY = {"run_log_store": {"type": "memory"}, "catalog": {"type": "do-nothing"}}


def first(x):
    return x + 1


def second(y):
    return y + 1


PIPELINE = Pipeline(
    steps=[
        PythonTask(name="first", function=first, returns=["y"]),
        PythonTask(name="second", function=second, returns=["z"]),
    ]
)


def each_us(call: Callable[[], object], times: int = TIMES) -> float:
    """Return what one call takes, in microseconds: the least of three rounds."""
    rounds = []
    for _ in range(3):
        began = time.perf_counter()
        for _ in range(times):
            call()
        rounds.append((time.perf_counter() - began) / times)
    return 1e6 * min(rounds)


def kept(place: str) -> dict[str, object]:
    options = {"log_folder": f"{place}/logs"}
    store = {"type": "file-system", "config": options}
    return {**IN_MEMORY, "run_log_store": store}


async def at_once(count: int) -> float:
    """Return what one of many asynchronous runs takes, all at once."""
    began = time.perf_counter()
    runs = [
        PIPELINE.execute_async(parameters={"x": 1}, services=IN_MEMORY)
        for _ in range(count)
    ]
    await asyncio.gather(*runs)
    return 1e6 * (time.perf_counter() - began) / count


def request_us(place: Path) -> float:
    with (
        service_load.service(place) as running,
        httpx.Client(base_url=running.url, headers={"X-Tenant": "ada"}) as client,
    ):
        return each_us(
            lambda: client.post("/answers", json={"prompt": "hello"}), TIMES // 10
        )


def main() -> None:
    with tempfile.TemporaryDirectory() as place:
        rows = {
            "direct call of two functions": each_us(lambda: second(first(1))),
            "synchronous run of two steps, in memory": each_us(
                lambda: PIPELINE.execute(parameters={"x": 1}, services=IN_MEMORY)
            ),
            "the same, its log in files": each_us(
                lambda: PIPELINE.execute(parameters={"x": 1}, services=kept(place))
            ),
            "asynchronous run, 1,000 at once": asyncio.run(at_once(1000)),
            "request to the example service, three steps": request_us(Path(place)),
        }
    print("| what | microseconds |\n| --- | --- |")
    for name, took in rows.items():
        print(f"| {name} | {took:,.1f} |")


if __name__ == "__main__":
    main()
