"""Attack the isolation of runs; print what was attempted, and what failed.

As a script: `python tests/isolation/isolation_attack.py [RUNS]`, 2,000 if nothing is said. Many
runs are active at once, in threads, on an event loop and in worker processes; each has
its own parameters, secret, tag, variables, output, context variables and overrides, and
looks for those of the others.
"""

import asyncio
import contextvars
import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from figures import Figures

from containers import RunContainer
from runnable import AsyncPythonTask, Map, Pipeline, Provide, PythonTask, inject
from runnable.catalog.file_system import FileSystemCatalog
from runnable.context import get_run_context
from runnable.datastore.memory import MemoryRunLogStore
from runnable.secrets import BaseSecrets

THREADS = 16
OWN = contextvars.ContextVar("OWN", default=None)


class OwnSecrets(BaseSecrets):
    """The secrets of one run."""

    service_name: str = "own"
    number: int = 0

    def get(self, name: str) -> str:
        return f"{name}-secret-of-{self.number}"


@inject
def injected(
    *, run_id: str = Provide["run_id"], secrets: BaseSecrets = Provide["secrets"]
) -> tuple[str, str]:
    return run_id, secrets.get("TOKEN")


def look(number: int) -> dict:
    """Report what belongs to this run; values backwards, since secrets are masked."""
    print(f"printed by {number}")
    before, _ = OWN.get(), OWN.set(number)
    if random.random() < 0.1:
        time.sleep(0.001)  # lets others in
    run_id, secret = injected()
    context = get_run_context()
    return {
        "parameter": number,
        "context": context.run_id,
        "injected": run_id,
        "secret": secret[::-1],
        "tag": context.tag,
        "environment": os.environ["RUNNABLE_RUN_ID"],
        "declared secret": os.environ["TOKEN"][::-1],
        "context variable before": before,
        "context variable": OWN.get(),
    }


async def look_async(number: int) -> dict:
    seen = look(number)
    await asyncio.sleep(random.random() / 1000)
    return {**seen, "environment": os.environ["RUNNABLE_RUN_ID"]}


def look_in_branch(number: int, x: int) -> list:
    return [number, x, os.environ["RUNNABLE_RUN_ID"], injected()[1][::-1]]


def expected(number: int) -> dict:
    secret = f"TOKEN-secret-of-{number}"[::-1]
    return {
        "parameter": number,
        "context": f"run-{number}",
        "injected": f"run-{number}",
        "secret": secret,
        "tag": f"tag-{number}",
        "environment": f"run-{number}",
        "declared secret": secret,
        "context variable before": None,
        "context variable": number,
    }


def pipeline_of(function, parallelism: str = "thread") -> Pipeline:
    kind = AsyncPythonTask if asyncio.iscoroutinefunction(function) else PythonTask
    branch = PythonTask(name="b", function=look_in_branch, returns=["branch"])
    return Pipeline(
        steps=[
            kind(name="look", function=function, returns=["seen"], secrets=["TOKEN"]),
            Map(
                name="m",
                branch=branch.as_pipeline(),
                iterate_on="xs",
                iterate_as="x",
                parallelism=parallelism,
            ),
        ]
    )


def arguments(number: int, root: Path) -> dict:
    return {
        "run_id": f"run-{number}",
        "tag": f"tag-{number}",
        "parameters": {"number": number, "xs": [0, 1]},
        "services": {
            "run_log_store": MemoryRunLogStore(),
            "secrets": OwnSecrets(number=number),
            "pipeline_executor": {"type": "local", "config": {"console": "none"}},
            "catalog": FileSystemCatalog(catalog_location=str(root / str(number))),
        },
    }


def compare(figures: Figures, where: str, number: int, run_log, root: Path) -> None:
    """Count every fact that one run should have seen."""
    values = {name: it.value for name, it in run_log.parameters.items()}
    seen, wanted = values.get("seen", {}), expected(number)
    for kind, value in wanted.items():
        figures.check(f"{where}: {kind}", seen.get(kind) == value, seen)
    secret = wanted["secret"]
    branches = [[number, x, f"run-{number}", secret] for x in (0, 1)]
    figures.check(f"{where}: branches", values.get("branch") == branches, values)
    texts = "".join(
        it.read_text() for it in (root / str(number)).rglob("look*.execution.log")
    )
    figures.check(f"{where}: output", texts == f"printed by {number}\n", texts)
    kept = (
        "".join(
            it.read_text(errors="replace")
            for it in (root / str(number)).rglob("*")
            if it.is_file()
        )
        + run_log.model_dump_json()
    )
    figures.check(f"{where}: no secret is kept", "-secret-of-" not in kept)


@contextmanager
def unchanged(figures: Figures, where: str) -> Iterator[None]:
    """Count whether the process is afterwards what it was before."""
    before = [dict(os.environ), type(os.environ), os.getcwd(), sys.stdout, [*sys.path]]
    yield
    after = [dict(os.environ), type(os.environ), os.getcwd(), sys.stdout, [*sys.path]]
    figures.check(f"{where}: the process is unchanged", before == after)
    figures.check(f"{where}: no run is left", get_run_context() is None)


def in_threads(figures: Figures, runs: int, root: Path) -> None:
    pipeline = pipeline_of(look)

    def run(number: int) -> None:
        run_log = pipeline.execute(**arguments(number, root))
        compare(figures, "threads", number, run_log, root)

    with unchanged(figures, "threads"), ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(run, range(runs)))


def on_a_loop(figures: Figures, runs: int, root: Path) -> None:
    pipelines = [pipeline_of(look_async), pipeline_of(look)]

    async def run(number: int) -> None:
        pipeline = pipelines[number % 2]
        run_log = await pipeline.execute_async(**arguments(number, root))
        compare(figures, "event loop", number, run_log, root)

    async def run_all() -> None:
        await asyncio.gather(*map(run, range(runs)))

    with unchanged(figures, "event loop"):
        asyncio.run(run_all())


def in_processes(figures: Figures, runs: int, root: Path) -> None:
    pipeline = pipeline_of(look, "process")

    def run(number: int) -> None:
        run_log = pipeline.execute(**arguments(number, root))
        compare(figures, "worker processes", number, run_log, root)

    with unchanged(figures, "worker processes"), ThreadPoolExecutor(4) as pool:
        list(pool.map(run, range(runs)))


def with_overrides(figures: Figures, runs: int) -> None:
    """Override the same service of one container, in many threads at once."""
    app = RunContainer()
    pipeline = PythonTask(
        name="t", function=lambda: injected()[1][::-1], returns=["x"]
    ).as_pipeline()

    def run(number: int) -> None:
        in_memory = {"run_log_store": {"type": "memory"}}
        with app.override_providers(secrets=OwnSecrets(number=number)):
            run_log = pipeline.execute(services=in_memory, container=app)
        value = run_log.parameters["x"].value
        wanted = f"TOKEN-secret-of-{number}"[::-1]
        figures.check("overrides of one container", value == wanted, value)

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(run, range(runs)))


def attack(runs: int) -> Figures:
    """Make all attacks."""
    figures = Figures()
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        in_threads(figures, runs, root / "threads")
        on_a_loop(figures, runs, root / "loop")
        in_processes(figures, max(2, runs // 100), root / "processes")
        with_overrides(figures, runs)
    return figures


if __name__ == "__main__":
    found = attack(int(sys.argv[1]) if len(sys.argv) > 1 else 2000)
    sys.__stdout__.write(f"{found.table()}\n")
    sys.exit(bool(found.failed))
