"""What all tests share: a folder of their own, and no run left over."""

from collections.abc import Iterator

import postgres
import pytest
import s3
import seaweedfs
from counting import pytest_runtest_logreport, pytest_terminal_summary
from hypothesis import HealthCheck, settings

from containers import container
from runnable.context import set_run_context
from runnable.scope import set_overrides

# Checked by type checkers, and run by `make bench`; they hold no tests.
collect_ignore = ["typing", "benchmarks", "fuzzing/with_atheris.py"]

# Time decides no test.
settings.register_profile(
    "runnable", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("runnable")

__all__ = ["pytest_runtest_logreport", "pytest_terminal_summary"]

IN_MEMORY = {
    "run_log_store": {"type": "memory"},
    "catalog": {"type": "do-nothing"},
}


@pytest.fixture(autouse=True)
def _alone(tmp_path, monkeypatch) -> Iterator[None]:
    """Run each test in an empty folder, and let no run leak into the next one."""
    monkeypatch.chdir(tmp_path)
    yield
    left_over = [
        name for name, provider in container.providers.items() if provider.overridden
    ]
    set_run_context(None)
    set_overrides({})
    assert left_over == []


@pytest.fixture
def in_memory() -> dict[str, object]:
    """Services that write nothing to disk."""
    return dict(IN_MEMORY)


@pytest.fixture(scope="session")
def s3_url() -> Iterator[str]:
    """The URL of an S3 server of this session's own, with a bucket `runs`."""
    if reason := s3.why_not():
        pytest.skip(reason)
    with s3.server() as url:
        yield url


@pytest.fixture(scope="session")
def seaweedfs_url() -> str:
    """The URL of an S3 server that is a process of its own, with a bucket `runs`."""
    if reason := seaweedfs.why_not():
        pytest.skip(reason)
    return seaweedfs.server().url


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The URL of a PostgreSQL server of this session's own."""
    if reason := postgres.why_not():
        pytest.skip(reason)
    with postgres.server() as url:
        yield url


def pytest_addoption(parser) -> None:
    parser.addoption(
        "--regenerate", action="store_true", help="Write golden files anew."
    )
