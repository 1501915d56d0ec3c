"""Jobs on a real Kubernetes, run now or on a schedule."""

import json
import sys
import textwrap
from pathlib import Path

import pytest

from runnable import ExecutionFailedError, get_run_log
from runnable.exceptions import ConfigurationError
from tests.support import kubernetes_cluster
from tests.support.container_flows import HEADER
from tests.support.gates import wait_until
from tests.support.kubernetes_cluster import kubectl

pytestmark = kubernetes_cluster.needs()


@pytest.fixture
def config(tmp_path):
    """The settings of an executor whose pods see this test's folder."""
    volumes, mounts = kubernetes_cluster.volumes(
        f"{tmp_path}:/app", spelling="host_path"
    )
    container = {
        "image": kubernetes_cluster.IMAGE,
        "env": [{"name": "PYTHONPATH", "value": "/app"}],
        "volumeMounts": mounts,
    }
    return {
        "config_path": kubernetes_cluster.kubeconfig(),
        "mini_k8s_run_log_location": f"{tmp_path}/.run_log_store",
        "mini_k8s_catalog_location": f"{tmp_path}/.catalog",
        "job_spec": {
            "backoff_limit": 0,
            "template": {"spec": {"container": container, "volumes": volumes}},
        },
    }


@pytest.fixture
def execute(config, tmp_path, monkeypatch):
    """Run the job of a function `main`, which gets the services."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def run(code, run_id="", **more):
        spec = {**config["job_spec"], **more.pop("job", {})}
        if memory := more.pop("memory", ""):
            limits = {"limits": {"memory": memory}}
            spec["template"]["spec"]["container"]["resources"] = limits
        settings = {**config, "job_spec": spec, **more}
        executor = {"type": "mini-k8s-job", "config": settings}
        (tmp_path / "services.json").write_text(json.dumps({"job_executor": executor}))
        (tmp_path / "flow.py").write_text(f"{HEADER}{LOAD}{textwrap.dedent(code)}")
        monkeypatch.setenv("RUNNABLE_RUN_ID", run_id)
        sys.modules.pop("flow", None)
        import flow

        return flow.main()

    yield run
    sys.modules.pop("flow", None)
    kubectl("delete", "jobs,cronjobs", "--all")


LOAD = """
import json
SERVICES = json.loads((Path(__file__).parent / "services.json").read_text())
"""
JOB = """
def work():
    print("at work in", os.getcwd())
    return 42

def main():
    return PythonJob(function=work, returns=["x"]).execute(services=SERVICES)
"""


def test_a_job_is_a_job(execute, capfd):
    log = execute(JOB, run_id="My_run")
    assert log.status == "SUCCESS"
    assert log.parameters["x"].value == 42
    assert get_run_log("My_run").job.status == "SUCCESS"
    assert "at work in" in capfd.readouterr().out
    (job,) = json.loads(kubectl("get", "jobs", "-o", "json"))["items"]
    assert job["metadata"]["name"].startswith("my-run-")
    assert job["metadata"]["annotations"]["runnable/run-id"] == "My_run"


def test_a_job_that_fails_is_tried_again(execute):
    code = """
    def work():
        file = Path("/app/attempts")
        file.write_text(file.read_text() + "x" if file.exists() else "x")
        if len(file.read_text()) < 3:
            raise ValueError("not yet")
        return len(file.read_text())

    def main():
        return PythonJob(function=work, returns=["x"]).execute(services=SERVICES)
    """
    log = execute(code, run_id="again", job={"backoff_limit": 3})
    assert log.parameters["x"].value == 3
    assert [it.status for it in log.job.attempts] == ["FAIL", "FAIL", "SUCCESS"]


def test_a_job_that_fails_says_why(execute):
    code = """
    def work():
        bytearray(600 << 20)

    def main():
        return PythonJob(function=work).execute(services=SERVICES)
    """
    with pytest.raises(ExecutionFailedError, match="OOMKilled, limit 200Mi"):
        execute(code, run_id="big", memory="200Mi")


def test_a_schedule_makes_a_run_of_each_start(execute):
    log = execute(JOB, run_id="nightly", schedule="0 3 * * *")
    assert log.status == "CREATED"
    assert "'nightly'" in log.run_config["instead"]
    assert "0 3 * * *" in log.run_config["instead"]
    (cron,) = json.loads(kubectl("get", "cronjobs", "-o", "json"))["items"]
    assert cron["spec"]["schedule"] == "0 3 * * *"
    spec = cron["spec"]["jobTemplate"]["spec"]
    for name in ("first", "second"):
        job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}}
        kubectl("apply", "-f", "-", input=json.dumps({**job, "spec": spec}))
        wait_until(lambda name=name: has_succeeded(name))
        assert get_run_log(name).parameters["x"].value == 42


def has_succeeded(run_id):
    try:
        return get_run_log(run_id).status == "SUCCESS"
    except Exception:
        return False


def test_secrets_are_references(execute, monkeypatch):
    monkeypatch.setenv("TOKEN", "wrong-horse-battery")
    kubernetes_cluster.secret("of-jobs", {"TOKEN": "wrong-horse-battery"})
    code = """
    def work():
        print(os.environ["TOKEN"])
        return len(os.environ["TOKEN"])

    def main():
        job = PythonJob(function=work, returns=["n"], secrets=["TOKEN"])
        return job.execute(services=SERVICES)
    """
    log = execute(code, run_id="secret", secret_from_k8s="of-jobs")
    assert log.parameters["n"].value == len("wrong-horse-battery")
    assert "wrong-horse" not in kubectl("get", "jobs,pods", "-o", "json")


def test_what_is_mocked_is_not_created(execute, caplog):
    caplog.set_level("INFO")
    log = execute(JOB, run_id="mocked", mock=True, config_path="nowhere")
    assert log.status == "CREATED"
    assert "not created" in log.run_config["instead"]
    assert '"kind": "Job"' in caplog.text
    assert "No resources" in kubectl("get", "jobs") or not kubectl("get", "jobs")


def test_bad_settings_are_refused(execute):
    with pytest.raises(ConfigurationError, match="five fields"):
        execute(JOB, schedule="daily")
    with pytest.raises(ConfigurationError, match="backof_limit"):
        execute(JOB, job={"backof_limit": 1})
    with pytest.raises(ConfigurationError, match="no configuration of Kubernetes"):
        execute(JOB, config_path="nowhere")
    assert not Path(".run_log_store").exists()


def test_a_pod_that_cannot_start_is_said_at_once(execute, config):
    spec = {"backoff_limit": 6}
    config["job_spec"]["template"]["spec"]["container"]["image"] = "localhost/no:1"
    with pytest.raises(ExecutionFailedError, match="ErrImageNeverPull"):
        execute(JOB, run_id="no-image", job=spec, pending_seconds=3)


def test_parameters_of_the_environment_arrive(execute, monkeypatch):
    monkeypatch.setenv("RUNNABLE_PRM_rate", "0.5")
    code = """
    def work(rate: float):
        return rate

    def main():
        return PythonJob(function=work, returns=["x"]).execute(services=SERVICES)
    """
    assert execute(code, run_id="given").parameters["x"].value == 0.5
