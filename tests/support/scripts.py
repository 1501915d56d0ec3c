"""Run a script as its author does."""

import os
import subprocess
import sys
from pathlib import Path


def run(text, name="script.py", arguments=(), **variables):
    """Write a script into the working directory, and run it."""
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return subprocess.run(
        [sys.executable, name, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **variables},
    )
