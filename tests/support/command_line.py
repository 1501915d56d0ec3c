"""Run the command line as its users do: in a process of its own."""

import subprocess
import sys


def runnable(*arguments, **more):
    """Run `runnable`, and wait for its end."""
    return subprocess.run(
        [sys.executable, "-m", "runnable.cli", *arguments],
        capture_output=True,
        text=True,
        check=False,
        **more,
    )
