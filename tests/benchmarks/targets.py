"""Is it as fast as it is meant to be? Each figure beside its target.

    python tests/benchmarks/targets.py [WORD ...]     rows with any of the words

The unit is B: what a step of Burr costs, a state machine that records nothing, measured
here and now. CPU time inside the process, the least of several rounds; each row is
measured in a process of its own.
"""

import asyncio
import contextlib
import gc
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import branches
import peers
import startup

if TYPE_CHECKING:
    from runnable.datastore import RunLog

HERE = Path(__file__)
PYTHON = sys.executable
NONE = {"type": "do-nothing"}
MEMORY = {"run_log_store": {"type": "memory"}, "catalog": NONE, "secrets": NONE}
SERVICES = {"memory": MEMORY, "default": {}}


def add(x):
    return x + 1


async def add_async(x):
    await asyncio.sleep(0)
    return x + 1


def chain(count, *, is_async=False):
    from runnable import AsyncPythonTask, Pipeline, PythonTask

    kind, function = (AsyncPythonTask, add_async) if is_async else (PythonTask, add)
    names = [f"s{number}" for number in range(count)]
    return Pipeline(
        steps=[kind(name=it, function=function, returns=["x"]) for it in names]
    )


def least(run: Callable[[], object], seconds: float = 2.0) -> float:
    """Return the CPU seconds of one call: the least of as many as the time allows."""
    run()
    found, end = float("inf"), time.monotonic() + seconds
    while True:
        began = time.process_time()
        run()
        found = min(found, time.process_time() - began)
        if time.monotonic() > end:
            return found


def step(store: str, few: str, many: str) -> float:
    """Return microseconds a step: the longer chain less the shorter one."""

    def run_of(count):
        pipeline = chain(count)
        return lambda: pipeline.execute(parameters={"x": 0}, services=SERVICES[store])

    costs = [least(run_of(int(count))) for count in (few, many)]
    return 1e6 * (costs[1] - costs[0]) / (int(many) - int(few))


def short_run(store: str) -> float:
    """Return microseconds of a run of two steps."""
    pipeline = chain(2)
    run = lambda: pipeline.execute(parameters={"x": 0}, services=SERVICES[store])
    return 1e6 * least(run)


def _at_once(count: str, steps: str) -> Callable[[], object]:
    """Return what executes many asynchronous runs at once."""
    pipeline = chain(int(steps), is_async=True)

    async def all_of_them():
        runs = [
            pipeline.execute_async(parameters={"x": 0}, services=MEMORY)
            for _ in range(int(count))
        ]
        await asyncio.gather(*runs)

    return lambda: asyncio.run(all_of_them())


def async_runs(count: str, steps: str) -> float:
    """Return microseconds a run, of many asynchronous ones at once."""
    return 1e6 * least(_at_once(count, steps), 5.0) / int(count)


def memory_of_async_runs(count: str, steps: str) -> float:
    """Return how many megabytes more the process needs while they are active."""
    _at_once("1", steps)()
    before = _peak_megabytes()
    _at_once(count, steps)()
    return _peak_megabytes() - before


def _peak_megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _mapped(count):
    pipeline, parameters = branches.mapped(), {"xs": list(range(count))}
    return lambda: pipeline.execute(parameters=parameters, services=MEMORY)


def map_item(count: str) -> float:
    """Return microseconds an item of a map."""
    return 1e6 * least(_mapped(int(count)), 4.0) / int(count)


def bytes_of_map_item(count: str) -> float:
    """Return what is kept of each item once the run has ended."""
    _mapped(2)()
    gc.collect()
    before = branches.megabytes()
    run_log = _mapped(int(count))()
    gc.collect()
    after = branches.megabytes()
    assert run_log.status == "SUCCESS"
    return 1e6 * (after - before) / int(count)


def _of_parsing(steps: str, read: Callable[["RunLog"], object]) -> float:
    """Return how often `json.loads` of the readable file fits into reading a log."""
    from runnable import get_run_log

    chain(int(steps)).execute(parameters={"x": 0}, run_id="r1")
    content = Path(".run_log_store/r1.json").read_bytes()
    parsed = least(lambda: json.loads(content))
    return least(lambda: read(get_run_log("r1"))) / parsed


def read_log(steps: str) -> float:
    """Measure reading all of a log."""
    return _of_parsing(steps, lambda log: [*log.all_steps()])


def read_step(steps: str) -> float:
    """Measure reading one step of a log."""
    return _of_parsing(steps, lambda log: log.steps["s1"])


def listing(kind: str, count: str) -> float:
    """Return the seconds that a list of runs takes."""
    sys.path.insert(0, str(HERE.parents[1] / "support"))
    import killing
    import stores

    from containers.plugins import Plugins

    with killing.service(kind, Path.cwd()) as service:
        store = Plugins().make_service("run_log_store", service)
        names = [f"r{number}" for number in range(int(count))]
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(partial(stores.write, store), names))
        began = time.monotonic()
        assert len(store.list_runs()) == int(count)
        took = time.monotonic() - began
        store.close()
    return took


def request(path: str) -> float:
    """Return microseconds of a request of the example, beyond those of FastAPI."""
    sys.path.insert(0, str(HERE.parents[2] / "docs" / "examples" / "service"))
    import app as example
    import httpx
    from fastapi import FastAPI

    plain = FastAPI()
    answer = {"run_id": "r" * 40, "status": "SUCCESS", "text": "HELLO", "score": 5}

    @plain.post(path)
    async def ask(question: example.Question) -> dict[str, object]:
        return answer

    async def measured() -> float:
        ours = example.create_app(Path.cwd())
        async with ours.router.lifespan_context(ours):
            costs = [await _cost(app, path) for app in (ours, plain)]
        return 1e6 * (costs[0] - costs[1])

    async def _cost(app: FastAPI, path: str, count: int = 100) -> float:
        transport = httpx.ASGITransport(app)
        found = []
        async with httpx.AsyncClient(
            transport=transport, base_url="http://a", headers={"X-Tenant": "ada"}
        ) as client:
            for _ in range(4):
                began = time.process_time()
                for _ in range(count):
                    sent = await client.post(path, json={"prompt": "hello"})
                    assert sent.status_code == 200
                found.append((time.process_time() - began) / count)
        return min(found)

    return asyncio.run(measured())


def printing(megabytes: str) -> float:
    """Return how many megabytes more a step needs that prints so many."""
    from runnable import PythonTask

    def talk() -> None:
        for _ in range(int(megabytes) * 10_000):
            print("x" * 99)

    PythonTask(name="s", function=lambda: print("warm")).as_pipeline().execute()
    before = _peak_megabytes()
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        PythonTask(name="s", function=talk).as_pipeline().execute()
    return _peak_megabytes() - before


def importing(code: str, base: str) -> float:
    """Return milliseconds of CPU that a program takes, less those of another one."""
    return startup.cpu_ms(PYTHON, "-c", code) - startup.cpu_ms(PYTHON, "-c", base)


def of_lean(code: str) -> float:
    """Return how much longer than pydantic and the injector alone something takes."""
    lean = (
        "import sys\n"
        "for it in ('fastapi.params', 'starlette.requests', 'werkzeug.local'):\n"
        "    sys.modules[it] = None\n"
        "from pydantic import BaseModel\n"
        "import dependency_injector.wiring, dependency_injector.containers\n"
        "class Model(BaseModel):\n    x: int = 1\nModel()\n"
    )
    return importing(code, "pass") / importing(lean, "pass")


def command(*arguments: str) -> float:
    """Return milliseconds of CPU of a command."""
    Path("functions.py").write_text("def work():\n    return 1\n")
    definition = (
        "from runnable import PythonTask\nfrom functions import work\n"
        "pipeline = PythonTask(name='s', function=work, returns=['x']).as_pipeline()\n"
    )
    Path("definition.py").write_text(definition)
    Path("script.py").write_text(definition + "pipeline.execute()\n")
    program = str(Path(PYTHON).with_name("runnable"))
    return startup.cpu_ms(program, *arguments)


def command_over(code: str, *arguments: str) -> float:
    """Return milliseconds of a command, less those of a program."""
    took = command(*arguments)
    return took - startup.cpu_ms(PYTHON, "-c", code)


def command_of(code: str, *arguments: str) -> float:
    """Return how often a program fits into a command."""
    took = command(*arguments)
    return took / startup.cpu_ms(PYTHON, "-c", code)


class Row(NamedTuple):
    """A figure and its target."""

    name: str
    unit: str
    """B: measured in microseconds, and divided by those of the unit."""
    target: float
    function: Callable[..., float]
    arguments: tuple[str, ...] = ()


AUTHORING = "from runnable import Pipeline, PythonTask"
DEFINITION = "import definition"
STEP_NEEDS = (
    "import typer, runnable.cli.nodes, runnable.sdk.start, runnable.sdk.single_step, "
    "runnable.datastore.file_system, runnable.catalog.file_system, "
    "runnable.secrets.dotenv, definition"
)
ROWS = [
    Row("no-op step, memory, 10 to 110", "B", 0.9, step, ("memory", "10", "110")),
    Row(
        "no-op step, memory, 1,000 to 5,000", "B", 0.9, step, ("memory", "1000", "5000")
    ),
    Row("no-op step, default services", "B", 2, step, ("default", "10", "110")),
    Row("the same, 1,000 to 5,000", "B", 2, step, ("default", "1000", "5000")),
    Row("run of two steps, memory", "B", 4, short_run, ("memory",)),
    Row("run of two steps, default services", "B", 9, short_run, ("default",)),
    Row("async run of two steps, 1,000 at once", "B", 6, async_runs, ("1000", "2")),
    Row("async run of five steps, 10,000 at once", "B", 12, async_runs, ("10000", "5")),
    Row("memory of those", "MB", 150, memory_of_async_runs, ("10000", "5")),
    Row("map item in memory, 100", "B", 1, map_item, ("100",)),
    Row("map item in memory, 100,000", "B", 1, map_item, ("100000",)),
    Row("kept of a map item, 100,000", "bytes", 1000, bytes_of_map_item, ("100000",)),
    Row("import runnable", "ms", 3, importing, ("import runnable", "pass")),
    Row(
        "authoring import, of pydantic and the injector",
        "x",
        1.25,
        of_lean,
        (AUTHORING,),
    ),
    Row("runnable --help", "ms", 100, command, ("--help",)),
    Row(
        "runnable execute, over its script",
        "ms",
        60,
        command_over,
        (DEFINITION, "execute", "script.py", "--no-progress"),
    ),
    Row(
        "runnable execute-single-node, of the imports it needs",
        "x",
        1.3,
        command_of,
        (STEP_NEEDS, "execute-single-node", "r1", "script.py", "s", "--mode", "python"),
    ),
    Row("request of the example service", "B", 12, request, ("/answers",)),
    Row("the same, on the event loop", "B", 12, request, ("/answers/async",)),
    Row("list 10,000 runs: files", "s", 0.3, listing, ("file-system", "10000")),
    Row("list 10,000 runs: SQLite", "s", 0.3, listing, ("sqlite", "10000")),
    Row("list 10,000 runs: PostgreSQL", "s", 0.5, listing, ("postgres", "10000")),
    Row("list 10,000 runs: S3", "s", 10, listing, ("s3", "10000")),
    Row("180 MB of printed output", "MB", 30, printing, ("180",)),
    Row("one step of a log of 10,000, of json.loads", "x", 0.1, read_step, ("10000",)),
    Row("reading a log of 10,000 steps, of json.loads", "x", 2, read_log, ("10000",)),
]


def main(words: list[str]) -> None:
    """Print each row with its figure and its target."""
    if words[:1] == ["--row"]:
        row = ROWS[int(words[1])]
        print(row.function(*row.arguments))
        return
    unit = peers.step_us(peers.PEERS[0])
    print(
        f"B = {unit:.1f} us\n\n| what | measured | target |  |\n| --- | --- | --- | --- |"
    )
    for number, row in enumerate(ROWS):
        if words and not any(word in row.name for word in words):
            continue
        with tempfile.TemporaryDirectory() as folder:
            ran = subprocess.run(
                [PYTHON, str(HERE), "--row", str(number)],
                cwd=folder,
                env={**os.environ, "PYTHONPATH": folder},
                capture_output=True,
                text=True,
                check=True,
            )
        found = float(ran.stdout.splitlines()[-1]) / (unit if row.unit == "B" else 1)
        verdict = "ok" if found <= row.target else f"{found / row.target:.1f}x"
        print(
            f"| {row.name} | {found:,.2f} {row.unit} | {row.target:g} | {verdict} |",
            flush=True,
        )


if __name__ == "__main__":
    main(sys.argv[1:])
