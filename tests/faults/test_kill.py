"""kill -9 at random moments: nothing that was said to be complete is lost."""

import importlib.util
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from runnable.datastore.file_system import FileSystemRunLogStore
from runnable.exceptions import RunLogNotFoundError

SCRIPT = Path(__file__).with_name("killed_run.py")
_spec = importlib.util.spec_from_file_location("killed_run", SCRIPT)
killed_run = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(killed_run)
MOMENTS = 200
AT_ONCE = 4


def start(folder: Path) -> subprocess.Popen:
    folder.mkdir()
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), str(folder)], stdout=subprocess.PIPE
    )


def kill(process: subprocess.Popen, steps: int, delay_seconds: float) -> list[str]:
    """Kill a run a moment after it has said that some steps are complete.

    Returns:
        The steps that it said are complete, up to the end.
    """
    with process:
        assert process.stdout.readline() == b"ready\n"
        said = [process.stdout.readline() for _ in range(steps)]
        time.sleep(delay_seconds)
        process.send_signal(signal.SIGKILL)
        said += process.stdout.readlines()
    return b"".join(said).decode().splitlines()


def check(folder: Path, said: list[str]) -> str:
    """Read the log of a killed run; return its status."""
    store = FileSystemRunLogStore(log_folder=str(folder / ".run_log_store"))
    try:
        run_log = store.get_run_log_by_id("r1")
    except RunLogNotFoundError:
        assert said == []  # killed before its first record
        return "nothing"
    done = [name for name in said if name != "done"]
    recorded = [
        s.internal_name for s in run_log.steps.values() if s.status == "SUCCESS"
    ]
    assert recorded[: len(done)] == done
    steps = [name for name in done if name != "success"]
    if steps:
        assert run_log.parameters["n"].value >= len(steps)
    return run_log.status


def check_resumed(done: list[str]) -> None:
    """Resume a killed run: it comes to the end that it would have come to."""
    run_log = killed_run.build().execute(resume="r1")
    assert run_log.status == "SUCCESS"
    assert run_log.parameters["n"].value == 50
    calls = Counter(Path("calls.txt").read_text().split())
    assert set(calls) == {f"s{number}" for number in range(50)}
    assert {name: calls[name] for name in done} == dict.fromkeys(done, 1)
    # At most the one that was under way was begun again.
    assert sum(calls.values()) <= 51


@pytest.mark.parametrize("seed", range(AT_ONCE))
def test_every_log_is_readable_and_nothing_complete_is_lost(
    seed, tmp_path, monkeypatch
):
    generator = random.Random(seed)
    statuses = []
    for number in range(MOMENTS // AT_ONCE):
        folder = tmp_path / str(number)
        steps = generator.randrange(50)
        # Before the first step, everything is imported and made for the first time.
        delay_seconds = generator.uniform(0, 0.002 if steps else 0.1)
        said = kill(start(folder), steps, delay_seconds)
        assert len(said) >= steps
        statuses.append(check(folder, said))
        if statuses[-1] != "nothing":
            monkeypatch.chdir(folder)
            check_resumed([name for name in said if name[1:].isdigit()])
    # Some moments must have hit runs that were going on, or this shows nothing.
    assert "PROCESSING" in statuses
