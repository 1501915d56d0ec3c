"""What a run depends on is away or dies: it ends right, or can be resumed."""

import collections
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import s3
import seaweedfs
import yaml

from runnable import ExecutionFailedError
from runnable.exceptions import RunnableError
from tests.support import chaos_flow, clusters, docker_service
from tests.support.executors import executor_of
from tests.support.gates import wait_until

KINDS = [
    "threads",
    "processes",
    "emulator",
    *(pytest.param(it, marks=clusters.needs(it)) for it in clusters.KINDS),
]


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    monkeypatch.syspath_prepend(str(docker_service.ROOT))


class Running:
    """A run in a thread."""

    def __init__(self, folder, services, **options):
        self.outcome = None
        self._options = {"services": services, "run_id": "r1", **options}
        self._folder = str(folder)
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self):
        parameters = {"folder": self._folder}
        try:
            log = chaos_flow.build().execute(parameters=parameters, **self._options)
            self.outcome = log.status
        except RunnableError as error:
            self.outcome = error

    def wait(self):
        self._thread.join(240)
        return self.outcome


def resumed(folder, services, **options):
    return chaos_flow.build().execute(
        parameters={"folder": str(folder)}, services=services, resume="r1", **options
    )


def calls(folder):
    return collections.Counter(Path(folder, "calls").read_text().split())


def check(log, folder):
    """Check the end of a run whose step `hold` may have been run twice."""
    assert log.status == "SUCCESS"
    assert log.parameters["end"].value == 56
    counted = calls(folder)
    assert counted.pop("hold") <= 2
    assert set(counted.values()) == {1}
    assert len(counted) == 8


@pytest.fixture
def server():
    if reason := seaweedfs.why_not():
        pytest.skip(reason)
    made = seaweedfs.Server()
    made.start()
    yield made
    made.end()


@pytest.mark.parametrize("kind", KINDS)
def test_the_store_is_away_for_a_while(kind, server, tmp_path):
    place = {"bucket": "runs/chaos", **s3.KEYS}
    there = {"type": "s3", "config": {**place, "endpoint_url": server.url}}
    services = {"run_log_store": there, "catalog": there}
    services["pipeline_executor"] = executor_of(kind, tmp_path)
    # In a file, so that a command finds them as well.
    Path("services.yaml").write_text(yaml.safe_dump(services))
    running = Running(tmp_path, {}, configuration_file="services.yaml")
    wait_until((tmp_path / "held").exists)
    server.kill()
    (tmp_path / "released").touch()
    threading.Event().wait(5)
    server.start()
    outcome = running.wait()
    assert outcome == "SUCCESS" or isinstance(outcome, ExecutionFailedError)
    if outcome != "SUCCESS":
        log = resumed(tmp_path, {}, configuration_file="services.yaml")
        check(log, tmp_path)
    else:
        assert set(calls(tmp_path).values()) == {1}


@pytest.mark.parametrize("kind", KINDS)
def test_of_two_launchers_one_has_the_run(kind, tmp_path):
    services = {"pipeline_executor": executor_of(kind, tmp_path)}
    first = Running(tmp_path, services)
    wait_until((tmp_path / "held").exists)
    second = Running(tmp_path, services)
    third = Running(tmp_path, services, run_id="", resume="r1")
    assert "exists already" in str(second.wait())
    assert "it is active" in str(third.wait())
    (tmp_path / "released").touch()
    assert first.wait() == "SUCCESS"
    assert set(calls(tmp_path).values()) == {1}


@clusters.needs("dask")
def test_the_scheduler_dies(tmp_path):
    file = tmp_path / "scheduler.json"
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler"]
    address = ["--host", "127.0.0.1", "--port", "0", "--no-dashboard"]
    worker = [sys.executable, "-m", "distributed.cli.dask_worker", "--nworkers", "2"]
    of_it = ["--scheduler-file", str(file)]
    environment = {**os.environ, "PYTHONPATH": str(docker_service.ROOT)}
    started = {"env": environment, "stderr": subprocess.DEVNULL}
    with (
        subprocess.Popen([*command, *address, *of_it], **started) as scheduler,
        subprocess.Popen(
            [*worker, "--nthreads", "1", "--no-dashboard", *of_it], **started
        ) as workers,
    ):
        try:
            # It is written after it was made.
            wait_until(
                lambda: file.exists() and file.read_text().rstrip().endswith("}")
            )
            config = {"scheduler_address": json.loads(file.read_text())["address"]}
            services = {"pipeline_executor": {"type": "dask", "config": config}}
            running = Running(tmp_path, services)
            wait_until((tmp_path / "held").exists)
            scheduler.kill()
            os.kill(int((tmp_path / "held").read_text()), signal.SIGKILL)
            outcome = running.wait()
        finally:
            scheduler.kill()
            # Without a scheduler, it would not end when it is asked to.
            workers.kill()
    assert isinstance(outcome, ExecutionFailedError), outcome
    local = {"pipeline_executor": {"type": "local"}}
    check(resumed(tmp_path, local), tmp_path)
