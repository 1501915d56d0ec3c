"""Processes that join one run, and write to it at once.

Run as `python joining.py SERVICE NAME COUNT`: waits for a line on standard input, then
writes COUNT steps that have the name in theirs. SERVICE is the JSON of a store.
"""

import json
import subprocess
import sys

from containers.plugins import Plugins
from runnable.datastore import StepStarted


def write_at_once(service: dict, run_id: str, processes: int, count: int) -> None:
    """Have processes write records to a run, all at once.

    Args:
        service: The store, as configured.
        run_id: A run that has begun.
        processes: How many of them.
        count: How many records each writes.
    """
    command = [sys.executable, __file__, json.dumps(service), run_id]
    writers = [
        subprocess.Popen(
            [*command, str(number), str(count)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for number in range(processes)
    ]
    try:
        for writer in writers:
            assert writer.stdout.readline() == b"ready\n"
        for writer in writers:
            writer.stdin.write(b"go\n")
            writer.stdin.flush()
        for writer in writers:
            assert writer.wait(600) == 0
    finally:
        for writer in writers:
            writer.kill()
            writer.communicate()


def main(service: str, run_id: str, name: str, count: str) -> None:
    store = Plugins().make_service("run_log_store", json.loads(service))
    journal = store.join(run_id)
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(int(count)):
        path = f"{name}-{number}"
        journal.append(StepStarted(at="", path=path, name=path, step_type="stub"))
    journal.close()
    store.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
