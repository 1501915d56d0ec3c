"""A browser for all tests of pages, and runs to look at."""

import os
from pathlib import Path

import pytest

from tests.support import web

ROOT = str(Path(__file__).parents[2])


@pytest.fixture(scope="module")
def browser():
    """Return a headless Chromium.

    It has an event loop that runs in this thread: no other module may be tested
    meanwhile.
    """
    if reason := web.why_not():
        pytest.skip(reason)
    with web.browser() as started:
        yield started


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Return a folder with runs of all kinds."""
    from tests.ui import flow

    folder, before = tmp_path_factory.mktemp("runs"), Path.cwd()
    os.chdir(folder)
    try:
        flow.run(1, fail=False, tag="nightly")
        flow.run(2, fail=True, tag=flow.HOSTILE[0])
        flow.run(3, fail=False, tag="nightly")
    finally:
        os.chdir(before)
    return folder
