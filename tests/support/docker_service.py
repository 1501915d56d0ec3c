"""A Docker or Podman service of the test session's own, and an image.

The image is empty: containers see this machine's programs, the virtual environment and
the checkout through volumes that are read-only.
"""

import atexit
import contextlib
import functools
import io
import os
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

import pytest

KINDS = ("docker", "podman")
IMAGE = "localhost/runnable-tests:dev"
ROOT = Path(__file__).parents[2]
_EXTRACTED = "/opt/docker/usr/sbin"
_PATH = f"{os.environ['PATH']}:/usr/sbin:/sbin:{_EXTRACTED}"
_PODMAN = """
[containers]
default_ulimits = ["nofile=20000:20000", "nproc=16384:16384"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
"""


def why_not(kind):
    """Say why there is no such service here; empty if there can be one."""
    program = {"docker": "dockerd", "podman": "podman"}[kind]
    if not shutil.which(program, path=_PATH):
        return f"there is no {program}; .ci/run installs it"
    if not shutil.which("runc", path=_PATH):
        return "there is no runc; .ci/run installs it"
    if os.getuid():
        return f"{program} needs root here"
    return ""


def needs(kind):
    """Return a mark that skips a test where there is no such service."""
    reason = why_not(kind)
    return pytest.mark.skipif(bool(reason), reason=reason)


@functools.cache
def service(kind):
    """Start a service, with the image; return its address."""
    folder = Path(tempfile.mkdtemp(prefix=f"{kind}-"))
    address = f"unix://{folder}/s.sock"
    command = {"docker": _dockerd, "podman": _podman}[kind](folder, address)
    environment = {**os.environ, "PATH": _PATH, "CONTAINERS_CONF": f"{folder}/conf"}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command, env=environment, stdout=log, stderr=log, start_new_session=True
        )
    atexit.register(_end, process, folder)
    with contextlib.closing(_client(address, process, folder / "log")) as client:
        _import_image(client)
    return address


def kill_all(kind):
    """Kill every container of a service that was started before."""
    import docker

    with contextlib.closing(docker.DockerClient(service(kind))) as client:
        for container in client.containers.list():
            container.remove(force=True)


def _dockerd(folder, address):
    (folder / "daemon.json").write_text("{}")
    given = {
        "config-file": folder / "daemon.json",
        "host": address,
        "data-root": folder / "data",
        "exec-root": folder / "exec",
        "pidfile": folder / "pid",
        "bridge": "none",
        "iptables": "false",
        "ip6tables": "false",
        "default-ulimit": "nofile=20000:20000",
    }
    return [
        shutil.which("dockerd", path=_PATH),
        *(f"--{name}={it}" for name, it in given.items()),
    ]


def _podman(folder, address):
    (folder / "conf").write_text(_PODMAN)
    where = ["--root", f"{folder}/data", "--runroot", f"{folder}/run"]
    return ["podman", *where, "system", "service", "--time=0", address]


def _client(address, process, log):
    import docker

    end = time.monotonic() + 60
    while True:
        with socket.socket(socket.AF_UNIX) as probe:
            if not probe.connect_ex(address.removeprefix("unix://")):
                return docker.DockerClient(address, timeout=120)
        if process.poll() is not None or time.monotonic() > end:
            raise RuntimeError(f"{address} does not start:\n{log.read_text()[-3000:]}")
        time.sleep(0.1)


def _import_image(client):
    """Import an image that has no file but the mount points."""
    with io.BytesIO() as file:
        with tarfile.open(fileobj=file, mode="w") as archive:
            for name in ("tmp", "run", "app", "etc", "proc", "sys", "dev", "var/tmp"):
                entry = tarfile.TarInfo(name)
                entry.type, entry.mode = tarfile.DIRTYPE, 0o1777
                archive.addfile(entry)
        path = f"{sys.prefix}/bin:/usr/bin:/bin"
        with tempfile.NamedTemporaryFile(suffix=".tar") as image:
            image.write(file.getvalue())
            image.flush()
            client.api.import_image(
                src=image.name,
                repository=IMAGE.partition(":")[0],
                tag="dev",
                changes=[f"ENV PATH={path}", "ENV LC_ALL=C.UTF-8", "WORKDIR /app"],
            )
    # Podman ignores the tag.
    with contextlib.suppress(Exception):
        client.images.get(f"{IMAGE.partition(':')[0]}:latest").tag(*IMAGE.split(":"))


def volumes():
    """Return what makes this machine's Python, and the library, visible."""
    system = [it for it in ("/usr", "/bin", "/lib", "/lib64") if Path(it).exists()]
    own = [sys.prefix, sys.base_prefix, str(ROOT)]
    return [f"{it}:{it}:ro" for it in dict.fromkeys([*system, *own])]


def _end(process, folder):
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(20)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    shutil.rmtree(folder, ignore_errors=True)
