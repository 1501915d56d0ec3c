"""What a step costs here and in other libraries, each in an environment of its own.

    python tests/benchmarks/peers.py [NAME ...]

CPU time inside the process: a chain of 110 steps less one of 10, the least of several
runs, in microseconds a step; and 16 threads that run a chain of two steps five times
each: how many of the 80 results are right. Each program is the smallest idiomatic one.
What cannot be installed is left out, with the reason.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
BUILD = HERE.parents[1] / "build" / "bench" / "peers"
ENVIRONMENT = HERE.parents[1] / ".ci" / "environment"
ROUNDS = 3
SECONDS = 0.7
_MOST_SECONDS = 120


class Peer(NamedTuple):
    """A library, as it is measured."""

    name: str
    program: str
    packages: tuple[str, ...] = ()
    """None for this library, whose environment is this one."""
    store: str = ""
    steps: tuple[int, int] = (10, 110)


PEERS = [
    Peer("Burr: the unit, B", "burr_chain", ("apache-burr",)),
    Peer("Hamilton", "hamilton_chain", ("sf-hamilton",)),
    Peer("pydantic-graph", "pydantic_graph_chain", ("pydantic-graph",)),
    Peer("Dask delayed", "dask_chain", ("dask",)),
    Peer("Kedro", "kedro_chain", ("kedro",)),
    Peer("Luigi", "luigi_chain", ("luigi",)),
    Peer("runnable, memory", "runnable_chain", store="memory"),
    Peer("runnable, files", "runnable_chain", store="files"),
    Peer("runnable, default services", "runnable_chain", store="default"),
    Peer("LangGraph, memory", "langgraph_chain", ("langgraph",), "memory"),
    Peer(
        "LangGraph, SQLite",
        "langgraph_chain",
        ("langgraph", "langgraph-checkpoint-sqlite"),
        "sqlite",
    ),
    Peer("DBOS, SQLite", "dbos_chain", ("dbos",)),
    Peer("Dagster, in process", "dagster_chain", ("dagster",)),
    Peer("Prefect 3", "prefect_chain", ("prefect",), steps=(2, 22)),
]


class NotMeasuredError(Exception):
    """A program could not be installed, or has failed; says why."""


def python_of(peer: Peer) -> Path:
    """Return the interpreter of a peer's environment; make it first if need be."""
    if not peer.packages:
        return Path(sys.executable)
    folder = BUILD / "-".join(peer.packages)
    python = folder / "bin" / "python"
    if not (folder / "ready").exists():
        command = [ENVIRONMENT, sys.executable, folder, *peer.packages]
        installed = subprocess.run(command, capture_output=True, text=True, check=False)
        if installed.returncode:
            last = installed.stderr.strip().splitlines()[-1:]
            raise NotMeasuredError(f"not installed: {' '.join(last)}")
        (folder / "ready").touch()
    return python


def measured(peer: Peer, *arguments: object) -> dict[str, float]:
    """Run the program of a peer, and return what it has found."""
    command = [python_of(peer), HERE / "peers" / f"{peer.program}.py", *arguments]
    environment = {**os.environ, "STORE": peer.store, "PREFECT_LOGGING_LEVEL": "ERROR"}
    with tempfile.TemporaryDirectory() as folder, Path(folder, "out").open("w+") as out:
        # Into a file: some leave processes behind that keep a pipe open.
        process = subprocess.Popen(
            [*map(str, command)],
            cwd=folder,
            env=environment,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            process.wait(_MOST_SECONDS)
        except subprocess.TimeoutExpired:
            raise NotMeasuredError(f"no end in {_MOST_SECONDS} s") from None
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        printed = Path(folder, "out").read_text().splitlines()
    result = [it for it in printed if it.startswith("RESULT ")]
    if not result:
        raise NotMeasuredError(f"it failed: {' '.join(printed[-1:])[:80]}")
    found: dict[str, float] = json.loads(result[-1].removeprefix("RESULT "))
    return found


def step_us(peer: Peer) -> float:
    """Return what a step costs, in microseconds."""
    few, many = peer.steps
    least = {
        count: min(
            measured(peer, "chain", count, SECONDS)["seconds"] for _ in range(ROUNDS)
        )
        for count in peer.steps
    }
    return 1e6 * (least[many] - least[few]) / (many - few)


def right(peer: Peer) -> str:
    """Return how many results of runs in threads are right."""
    try:
        found = measured(peer, "threads")
    except NotMeasuredError as error:
        return str(error)
    end = "" if found["ended"] else ", no end in 60 s"
    return f"{found['right']:.0f} of {found['of']:.0f}{end}"


def main(names: list[str]) -> None:
    """Print a row for each peer."""
    print("| library | us a step | B | 16 threads: right |\n| --- | --- | --- | --- |")
    unit = 0.0
    for peer in PEERS:
        wanted = not names or any(it.lower() in peer.name.lower() for it in names)
        if not wanted and peer is not PEERS[0]:
            continue
        try:
            took = step_us(peer)
        except NotMeasuredError as error:
            print(f"| {peer.name} | {error} | | |", flush=True)
            continue
        unit = unit or took
        row = f"| {peer.name} | {took:,.0f} | {took / unit:.1f} | {right(peer)} |"
        print(row, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
