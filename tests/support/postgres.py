"""A PostgreSQL server of the test session's own, on a socket in a private folder."""

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path


def _program(name: str) -> str | None:
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return shutil.which(name, path=os.pathsep.join(map(str, places))) or shutil.which(
        name
    )


def why_not() -> str:
    """Say why there can be no server here; empty if there can be."""
    if not _program("initdb") or not _program("postgres"):
        return "PostgreSQL is not installed (Debian: apt-get install postgresql)"
    with contextlib.suppress(KeyError):
        if os.getuid() or pwd.getpwnam("postgres"):
            return ""
    return "PostgreSQL does not run as root, and there is no user postgres"


@contextlib.contextmanager
def server() -> Iterator[str]:
    """Run a server.

    Yields:
        The URL of its database.
    """
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    user = {} if os.getuid() else {"user": "postgres", "group": "postgres"}
    if user:
        shutil.chown(folder, "postgres", "postgres")
    data = folder / "data"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **user}
    subprocess.run(
        [_program("initdb"), "-D", data, "-U", "runs", "-A", "trust", "--no-sync"],
        check=True,
        cwd="/tmp",
        **quiet,
    )
    options = ["-k", str(folder), "-c", "listen_addresses=", "-c", "fsync=off"]
    process = subprocess.Popen(
        [_program("postgres"), "-D", data, *options], cwd="/tmp", **quiet
    )
    try:
        url = f"postgresql://runs@/postgres?host={folder}"
        _wait_for(url, process)
        yield url
    finally:
        process.terminate()
        process.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


def _wait_for(url: str, process: subprocess.Popen) -> None:
    import psycopg

    end = time.monotonic() + 60
    while True:
        try:
            psycopg.connect(url).close()
        except psycopg.OperationalError:
            if process.poll() is not None or time.monotonic() > end:
                raise
            time.sleep(0.05)
        else:
            return
