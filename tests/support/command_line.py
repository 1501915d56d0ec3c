"""Run the command line as its users do: in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path


def runnable(*arguments, **more):
    """Run `runnable`, and wait for its end."""
    return subprocess.run(
        [sys.executable, "-m", "runnable.cli", *arguments],
        capture_output=True,
        text=True,
        check=False,
        **more,
    )


def shell(commands, folder):
    """Run commands as a document has them, in a folder; return their output.

    `python` and `runnable` are those of this environment; the first command that fails
    fails the test.
    """
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(  # noqa: S602 - as the document has them
        f"set -e\n{commands}",
        shell=True,
        cwd=folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
