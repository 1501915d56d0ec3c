"""The web page of runs, served by its command, and a browser to look at it."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or ""
OPTIONS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
)


def why_not() -> str:
    """Return why there is no browser; empty if there is one."""
    try:
        import playwright.sync_api  # noqa: F401
    except ImportError:
        return "playwright is not installed"
    return "" if CHROMIUM else "Chromium is not installed"


@contextmanager
def served(*options: str) -> Iterator[str]:
    """Serve the runs of this folder; yield the address that was printed."""
    command = [sys.executable, "-m", "runnable.cli", "ui", "--port=0", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.search(r"http://[^;]+", line)
        assert found, line
        try:
            yield found[0]
        finally:
            process.terminate()


@contextmanager
def browser() -> "Iterator[object]":
    """Yield a headless Chromium."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=[*OPTIONS])
        try:
            yield started
        finally:
            started.close()
