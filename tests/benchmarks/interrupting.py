"""What ends a function whose time is over: when, and what becomes of its lock.

Run as `python tests/benchmarks/interrupting.py`. Prints, for each choice, how long the
step took that may take 0.2 s, whether `finally` had run and the lock was free by then;
`docs/explanation/interrupting.md` has a table of it.
"""

import contextlib
import fcntl
import os
import tempfile
import time
from pathlib import Path

from runnable import ExecutionFailedError, PythonTask

TIMEOUT_SECONDS = 0.2
CHOICES = {
    "raise": {"interrupt": "raise"},
    "abandon": {"interrupt": "abandon"},
    "isolated": {"workspace": "isolated"},
}


@contextlib.contextmanager
def locked(folder):
    """Hold a lock that all processes see, as a database's lock is seen."""
    with Path(folder, "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def is_free(folder):
    with Path(folder, "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def python_code(folder: str):
    with locked(folder):
        try:
            end = time.monotonic() + 3
            while time.monotonic() < end:
                sum(range(1000))
        finally:
            Path(folder, "finally").touch()


def c_code(folder: str):
    with locked(folder):
        try:
            time.sleep(3)
        finally:
            Path(folder, "finally").touch()


def stubborn(folder: str):
    with locked(folder):
        end = time.monotonic() + 3
        while time.monotonic() < end:
            with contextlib.suppress(BaseException):
                sum(range(1000))
        Path(folder, "finally").touch()


def main() -> None:
    print("function      choice     step took   finally ran   lock free")
    for function in (python_code, c_code, stubborn):
        for choice, options in CHOICES.items():
            with tempfile.TemporaryDirectory() as folder:
                os.chdir(folder)
                step = PythonTask(
                    name="s",
                    function=function,
                    timeout_seconds=TIMEOUT_SECONDS,
                    **options,
                )
                begun = time.monotonic()
                try:
                    step.as_pipeline().execute(
                        parameters={"folder": folder},
                        services={"run_log_store": {"type": "memory"}},
                    )
                except ExecutionFailedError:
                    took = time.monotonic() - begun
                ran = Path(folder, "finally").exists()
                free = is_free(folder)
                print(
                    f"{function.__name__:13} {choice:10} {took:7.1f} s   "
                    f"{'yes' if ran else 'no':11}   {'yes' if free else 'no'}"
                )
                while not is_free(folder):
                    time.sleep(0.05)
                os.chdir("/")


if __name__ == "__main__":
    main()
