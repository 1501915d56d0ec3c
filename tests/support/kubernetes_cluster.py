"""A Kubernetes of the test session's own: one node, which is this machine.

The binaries are built once from Debian's source package, which takes a quarter of an
hour, into the folder that `RUNNABLE_TEST_KUBERNETES` names (`/opt/kubernetes`). Pods see
this machine's programs, the virtual environment and the checkout through volumes.
"""

import atexit
import contextlib
import functools
import json
import os
import random
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import textwrap
import time
import urllib.request
from pathlib import Path

import pytest

from tests.support import docker_service

BINARIES = Path(os.environ.get("RUNNABLE_TEST_KUBERNETES", "/opt/kubernetes")) / "bin"
_NAMES = (
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
)
_OTHERS = ("etcd", "containerd", "ctr", "runc", "openssl")
_PATH = f"{os.environ['PATH']}:/usr/sbin:/sbin"
IMAGE = "localhost/runnable-tests:dev"
PAUSE = "localhost/pause:1"
_TOKEN = "the-token-of-the-tests"
_PAUSE = """
#include <signal.h>
#include <unistd.h>
#include <stdlib.h>
static void end(int number) { (void)number; _exit(0); }
int main(void) { signal(SIGTERM, end); signal(SIGINT, end); for (;;) pause(); }
"""


def why_not():
    """Say why there is no Kubernetes here; empty if there can be one."""
    if os.getuid():
        return "Kubernetes needs root here"
    missing = [it for it in _NAMES if not (BINARIES / it).exists()]
    if missing:
        return f"{BINARIES} has no {missing[0]}; build it once, see infra"
    gone = [it for it in (*_OTHERS, "gcc") if not shutil.which(it, path=_PATH)]
    return f"there is no {gone[0]}" if gone else ""


def needs():
    """Return a mark that skips a test where there is no Kubernetes."""
    reason = why_not()
    return pytest.mark.skipif(bool(reason), reason=reason)


def kubectl(*arguments, **options):
    """Run `kubectl`, and return what it prints."""
    done = subprocess.run(
        ["kubectl", "--kubeconfig", kubeconfig(), *arguments],
        capture_output=True,
        check=True,
        text=True,
        **options,
    )
    return done.stdout


def volumes(*folders, spelling="hostPath"):
    """Return volumes of a pod, and where its container has them.

    What the containers of Docker see is among them; folders are `HERE:THERE`.
    """
    made, mounts = [], []
    for number, it in enumerate([*docker_service.volumes(), *folders]):
        here, there = it.removesuffix(":ro").split(":")
        made.append({"name": f"v{number}", spelling: {"path": here}})
        mounts.append({"name": f"v{number}", "mountPath": there})
    return made, mounts


def secret(name, values):
    """Make a Secret, if there is none of its name."""
    made = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}}
    kubectl("apply", "-f", "-", input=json.dumps({**made, "stringData": values}))


def _free_port():
    """Return a port outside of the range that outgoing connections take theirs from."""
    for port in random.sample(range(20_000, 32_000), 100):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise RuntimeError("no port is free")


class _Cluster:
    """The processes of a cluster, started one after the other."""

    def __init__(self, folder):
        self.folder = folder
        self.processes = []
        self.ports = {}
        self.environment = {
            **os.environ,
            "PATH": _PATH,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def port(self, name):
        if name not in self.ports:
            self.ports[name] = _free_port()
        return self.ports[name]

    def write(self, name, text):
        path = self.folder / name
        path.write_text(textwrap.dedent(text))
        return str(path)

    def start(self, name, *command):
        with (self.folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                [str(it) for it in command],
                env=self.environment,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                start_new_session=True,
            )
        self.processes.append((name, process))

    def call(self, *command):
        done = subprocess.run(
            [str(it) for it in command],
            env=self.environment,
            cwd=self.folder,
            capture_output=True,
            check=False,
            text=True,
        )
        if done.returncode:
            raise RuntimeError(f"{command[0]}: {done.stderr or done.stdout}")
        return done.stdout

    def wait_for(self, what, true, seconds=90):
        end = time.monotonic() + seconds
        while True:
            with contextlib.suppress(OSError, RuntimeError, ValueError):
                if true():
                    return
            for name, process in self.processes:
                if process.poll() is not None:
                    raise RuntimeError(f"{name} ended: {self.log(name)}")
            if time.monotonic() > end:
                logs = "\n".join(self.log(name) for name, _ in self.processes)
                raise RuntimeError(f"no {what} after {seconds} s:\n{logs}")
            time.sleep(0.2)

    def log(self, name):
        return (self.folder / f"{name}.log").read_text(errors="replace")[-3000:]

    def api(self, path):
        request = urllib.request.Request(
            f"https://127.0.0.1:{self.port('api')}{path}",
            headers={"Authorization": f"Bearer {_TOKEN}"},
        )
        context = ssl._create_unverified_context()  # noqa: S323 - on loopback
        with urllib.request.urlopen(request, context=context, timeout=5) as answer:
            return answer.read()

    def end(self):
        for _, process in reversed(self.processes):
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
        for _, process in reversed(self.processes):
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(5)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        with contextlib.suppress(Exception):
            mounts = Path("/proc/mounts").read_text().splitlines()
            for line in reversed(mounts):
                point = line.split()[1]
                if point.startswith(str(self.folder)):
                    subprocess.run(["umount", "-l", point], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)


@functools.cache
def kubeconfig():
    """Start the cluster; return the path of a configuration of clients."""
    cluster = _Cluster(Path(tempfile.mkdtemp(prefix="k8s-")))
    atexit.register(cluster.end)
    _start_control_plane(cluster)
    _start_node(cluster)
    _load_images(cluster)
    return str(cluster.folder / "kubeconfig")


def _start_control_plane(cluster):
    f, port = cluster.folder, cluster.port
    cluster.call("openssl", "genrsa", "-out", "sa.key", "2048")
    cluster.call("openssl", "rsa", "-in", "sa.key", "-pubout", "-out", "sa.pub")
    cluster.write("tokens.csv", f'{_TOKEN},admin,admin,"system:masters"\n')
    peers = f"http://127.0.0.1:{port('peer')}"
    client = f"http://127.0.0.1:{port('etcd')}"
    cluster.start(
        "etcd",
        "etcd",
        f"--data-dir={f}/etcd",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peers}",
        f"--initial-advertise-peer-urls={peers}",
        f"--initial-cluster=default={peers}",
        "--unsafe-no-fsync",
    )
    cluster.start(
        "apiserver",
        BINARIES / "kube-apiserver",
        f"--etcd-servers={client}",
        f"--cert-dir={f}/certificates",
        "--bind-address=127.0.0.1",
        f"--secure-port={port('api')}",
        "--insecure-port=0",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={f}/sa.pub",
        f"--service-account-signing-key-file={f}/sa.key",
        f"--token-auth-file={f}/tokens.csv",
        "--authorization-mode=Node,RBAC",
        "--disable-admission-plugins=ServiceAccount",
        "--endpoint-reconciler-type=none",
        "--kubelet-preferred-address-types=Hostname",
        "--service-cluster-ip-range=10.96.0.0/16",
        "--allow-privileged=true",
    )
    authority = str(f / "certificates" / "apiserver.crt")
    configuration = _client_configuration(port("api"), authority)
    cluster.write("kubeconfig", json.dumps(configuration))
    cluster.wait_for("API server", lambda: cluster.api("/readyz") == b"ok")
    for name in ("kube-controller-manager", "kube-scheduler"):
        more = (
            [f"--service-account-private-key-file={f}/sa.key"]
            if "manager" in name
            else []
        )
        cluster.start(
            name,
            BINARIES / name,
            f"--kubeconfig={f}/kubeconfig",
            "--leader-elect=false",
            "--port=0",
            f"--secure-port={port(name)}",
            "--bind-address=127.0.0.1",
            f"--cert-dir={f}/certificates-{name}",
            *more,
        )


def _client_configuration(port, authority):
    server = {
        "server": f"https://127.0.0.1:{port}",
        "certificate-authority": authority,
    }
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "tests", "cluster": server}],
        "users": [{"name": "admin", "user": {"token": _TOKEN}}],
        "contexts": [{"name": "c", "context": {"cluster": "tests", "user": "admin"}}],
        "current-context": "c",
    }


def _start_node(cluster):
    f = cluster.folder
    (f / "cni").mkdir()
    cluster.write("cni/net.conflist", json.dumps(_NETWORK))
    config = cluster.write(
        "containerd.toml",
        f"""
        version = 2
        root = "{f}/containerd"
        state = "{f}/containerd-state"
        [grpc]
          address = "{f}/containerd.sock"
        [plugins."io.containerd.grpc.v1.cri"]
          sandbox_image = "{PAUSE}"
          restrict_oom_score_adj = true
          disable_apparmor = true
          [plugins."io.containerd.grpc.v1.cri".cni]
            bin_dir = "/usr/lib/cni"
            conf_dir = "{f}/cni"
        """,
    )
    cluster.start("containerd", "containerd", "--config", config)
    cluster.wait_for("containerd", (f / "containerd.sock").exists)
    kubelet = {
        "kind": "KubeletConfiguration",
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "address": "127.0.0.1",
        "port": cluster.port("kubelet"),
        "healthzPort": cluster.port("healthz"),
        "cgroupDriver": "cgroupfs",
        # A kubelet ends what it does not know in its groups, such as another one's.
        "cgroupRoot": _cgroup(f.name),
        "failSwapOn": False,
        "enforceNodeAllocatable": [],
        "authentication": {"anonymous": {"enabled": True}},
        "authorization": {"mode": "AlwaysAllow"},
        "evictionHard": {"memory.available": "50Mi"},
        "imageGCHighThresholdPercent": 100,
    }
    settings = cluster.write("kubelet.json", json.dumps(kubelet))
    cluster.start(
        "kubelet",
        BINARIES / "kubelet",
        f"--config={settings}",
        f"--kubeconfig={f}/kubeconfig",
        f"--root-dir={f}/kubelet",
        f"--cert-dir={f}/kubelet-certificates",
        "--hostname-override=localhost",
        "--container-runtime=remote",
        f"--container-runtime-endpoint=unix://{f}/containerd.sock",
    )
    cluster.wait_for("node", lambda: _is_ready(cluster))


def _cgroup(name):
    """Make a control group of a cluster's own, in every hierarchy."""
    for hierarchy in Path("/sys/fs/cgroup").iterdir():
        if hierarchy.is_dir():
            with contextlib.suppress(OSError):
                (hierarchy / name).mkdir(exist_ok=True)
    source = Path("/sys/fs/cgroup/cpuset")
    for file in ("cpuset.cpus", "cpuset.mems"):
        if (source / file).exists():
            (source / name / file).write_text((source / file).read_text())
    return f"/{name}"


_NETWORK = {
    "cniVersion": "0.4.0",
    "name": "tests",
    "plugins": [
        {
            "type": "bridge",
            "bridge": "rt0",
            "isGateway": True,
            "ipMasq": False,
            "ipam": {
                "type": "host-local",
                "ranges": [[{"subnet": "10.88.77.0/24"}]],
                "routes": [{"dst": "0.0.0.0/0"}],
            },
        }
    ],
}


def _is_ready(cluster):
    (node,) = json.loads(cluster.api("/api/v1/nodes"))["items"]
    conditions = {it["type"]: it["status"] for it in node["status"]["conditions"]}
    return conditions.get("Ready") == "True"


def _load_images(cluster):
    from tests.support import image_archive

    f = cluster.folder
    source = cluster.write("pause.c", _PAUSE)
    cluster.call("gcc", "-static", "-O", "-o", "pause", source)
    archives = {
        "pause.tar": image_archive.made(PAUSE, {"pause": (f / "pause").read_bytes()}),
        "tests.tar": image_archive.made(IMAGE, {}),
    }
    for name, content in archives.items():
        (f / name).write_bytes(content)
        where = ("-a", f / "containerd.sock", "-n", "k8s.io")
        cluster.call("ctr", *where, "images", "import", f / name)
