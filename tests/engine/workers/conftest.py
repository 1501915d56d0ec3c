"""A fork server of a test's own."""

import pytest

from runnable.engine.workers.fork_server import ForkServer


@pytest.fixture
def server():
    """Return a server that is ended with the test."""
    server = ForkServer()
    yield server
    server.close()
