"""Kill runs at random moments, and see what is left of them.

As a script: `python tests/support/killing.py STORE [TIMES]`, with STORE one of
file-system, sqlite, postgres and s3; 1,000 times if nothing is said.
"""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import killed_run
import postgres
import s3

from containers.plugins import Plugins
from runnable.exceptions import RunLogNotFoundError

STORES = ("file-system", "sqlite", "postgres", "s3")


@contextlib.contextmanager
def service(kind: str, folder: Path) -> Iterator[dict]:
    """Start what a kind of store needs; yield its description."""
    with contextlib.ExitStack() as stack:
        options: dict[str, dict] = {
            "file-system": {"log_folder": str(folder / "logs")},
            "sqlite": {"location": str(folder / "runs.sqlite")},
        }
        if kind == "postgres":
            options[kind] = {"url": stack.enter_context(postgres.server())}
        elif kind == "s3":
            url = stack.enter_context(s3.server())
            options[kind] = {"bucket": "runs", "endpoint_url": url, **s3.KEYS}
        yield {"type": kind, "config": options[kind]}


def kill(folder: Path, store: dict, steps: int, delay_seconds: float) -> list[str]:
    """Kill a run a moment after it has said that some steps are complete.

    Returns:
        What it said is complete, up to the end.
    """
    folder.mkdir()
    command = [sys.executable, killed_run.__file__, str(folder), json.dumps(store)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"ready\n"
        said = [process.stdout.readline() for _ in range(steps)]
        time.sleep(delay_seconds)
        process.send_signal(signal.SIGKILL)
        said += process.stdout.readlines()
    assert len(said) >= steps
    return b"".join(said).decode().splitlines()


def check(run_id: str, store: dict, said: list[str]) -> str:
    """Read the log of a killed run; return its status."""
    opened = Plugins().make_service("run_log_store", store)
    try:
        run_log = opened.get_run_log_by_id(run_id)
    except RunLogNotFoundError:
        assert said == []  # killed before its first record
        return "nothing"
    finally:
        opened.close()
    done = [name for name in said if name != "done"]
    recorded = [
        s.internal_name for s in run_log.steps.values() if s.status == "SUCCESS"
    ]
    assert recorded[: len(done)] == done
    steps = [name for name in done if name != "success"]
    if steps:
        assert run_log.parameters["n"].value >= len(steps)
    return run_log.status


def check_resumed(run_id: str, store: dict, said: list[str]) -> None:
    """Resume a killed run: it comes to the end that it would have come to."""
    run_log = killed_run.build().execute(
        resume=run_id, services={"run_log_store": store}
    )
    assert run_log.status == "SUCCESS"
    assert run_log.parameters["n"].value == killed_run.STEPS
    calls = Counter(Path("calls.txt").read_text().split())
    assert set(calls) == {f"s{number}" for number in range(killed_run.STEPS)}
    done = [name for name in said if name[1:].isdigit()]
    assert {name: calls[name] for name in done} == dict.fromkeys(done, 1)
    # At most the one that was under way was begun again.
    assert sum(calls.values()) <= killed_run.STEPS + 1


def kill_many(place: Path, store: dict, times: int, seed: int) -> Counter:
    """Kill and resume runs.

    Returns:
        How many runs had which status when they were killed.
    """
    generator = random.Random(seed)
    statuses: Counter = Counter()
    for number in range(times):
        folder = place / f"{seed}-{number}"
        steps = generator.randrange(killed_run.STEPS)
        # Before the first step, everything is imported and made for the first time.
        delay_seconds = generator.uniform(0, 0.002 if steps else 0.1)
        said = kill(folder, store, steps, delay_seconds)
        status = check(folder.name, store, said)
        statuses[status] += 1
        assert status != "CREATED"  # a run exists with its first record, or not at all
        if status == "nothing":
            continue
        with contextlib.chdir(folder):
            check_resumed(folder.name, store, said)
    return statuses


def main(kind: str, times: str = "1000") -> None:
    seed = int(os.environ.get("SEED", "0"))
    with (
        tempfile.TemporaryDirectory() as place,
        service(kind, Path(place)) as store,
    ):
        print(kind, dict(kill_many(Path(place), store, int(times), seed)))


if __name__ == "__main__":
    main(*sys.argv[1:])
