"""Measures a program of this folder: what a step costs, and runs in many threads.

A program defines `make(count, pause)`, which returns a function: it runs a chain of so
many steps on a number, each of which adds one; or, if there is a pause in seconds,
sleeps and returns the number as it is.
"""

import json
import os
import sys
import threading
import time
from collections.abc import Callable

Run = Callable[[int], int]
Make = Callable[[int, float], Run]
_THREADS = 16
_RUNS = 5
_MOST_SECONDS = 60


def adding(pause: float) -> Run:
    """Return what a step does: it adds one, or sleeps."""

    def work(x):
        if pause:
            time.sleep(pause)
            return x
        return x + 1

    return work


def _cpu_seconds(run: Run, seconds: float) -> float:
    """Return the CPU time of one run: the least of as many as the time allows."""
    run(0)
    least, end = float("inf"), time.monotonic() + seconds
    while True:
        began = time.process_time()
        run(0)
        least = min(least, time.process_time() - began)
        if time.monotonic() > end:
            return least


def _in_threads(make: Make) -> dict[str, object]:
    """Run the same pipeline in many threads at once; count what comes out right."""
    run, right = make(2, 0.01), []
    run(7)

    def work(number: int) -> None:
        for again in range(_RUNS):
            value = 1000 * number + again
            try:
                right.append(run(value) == value)
            except Exception:
                right.append(False)

    threads = [
        threading.Thread(target=work, args=(number,), daemon=True)
        for number in range(_THREADS)
    ]
    end = time.monotonic() + _MOST_SECONDS
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    ended = not any(thread.is_alive() for thread in threads)
    return {"right": sum(right), "of": _THREADS * _RUNS, "ended": ended}


def main(make: Make) -> None:
    """Measure what the command line asks for, and print it as JSON."""
    what, *numbers = sys.argv[1:]
    if what == "threads":
        found = _in_threads(make)
    else:
        count, seconds = int(numbers[0]), float(numbers[1])
        found = {"seconds": _cpu_seconds(make(count, 0.0), seconds)}
    print(f"\nRESULT {json.dumps(found)}", flush=True)
    # Some leave threads behind that do not end.
    os._exit(0)
