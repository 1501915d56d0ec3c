"""An S3 server of the test session's own, on loopback.

It is moto, served one request after the other: its check of `If-None-Match` and the
write that follows are not one step, as they are in S3.
"""

import contextlib
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator

KEYS = {"aws_access_key_id": "ada", "aws_secret_access_key": "wrong-horse-staple"}
BUCKET = "runs"


def why_not() -> str:
    """Say why there can be no server here; empty if there can be."""
    try:
        import moto.server  # noqa: F401
    except ImportError as error:
        return f"moto is not installed ({error}): pip install 'moto[s3,server]'"
    return ""


@contextlib.contextmanager
def server() -> Iterator[str]:
    """Run a server with one bucket, `runs`.

    Yields:
        Its URL.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, __file__, str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_for(url, process)
        yield url
    finally:
        process.kill()
        process.wait(30)


def _wait_for(url: str, process: subprocess.Popen) -> None:
    end = time.monotonic() + 60
    bucket = urllib.request.Request(f"{url}/{BUCKET}", method="PUT")
    while True:
        try:
            urllib.request.urlopen(bucket, timeout=10).close()
        except OSError:
            if process.poll() is not None or time.monotonic() > end:
                raise
            time.sleep(0.05)
        else:
            return


def _serve(port: int) -> None:
    from moto.moto_server.werkzeug_app import (
        DomainDispatcherApplication,
        create_backend_app,
    )
    from werkzeug.serving import run_simple

    app = DomainDispatcherApplication(create_backend_app)
    run_simple("127.0.0.1", port, app, threaded=False)


if __name__ == "__main__":
    _serve(int(sys.argv[1]))
