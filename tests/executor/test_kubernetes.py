"""Steps as Jobs of a real Kubernetes: API server, scheduler, kubelet and containerd."""

import json
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from runnable import ExecutionFailedError, get_run_log
from runnable.exceptions import ConfigurationError
from tests.support import kubernetes_cluster
from tests.support.container_flows import EVERYTHING, HEADER
from tests.support.gates import wait_until
from tests.support.kubernetes_cluster import kubectl

pytestmark = kubernetes_cluster.needs()


@pytest.fixture
def config(tmp_path):
    """The settings of an executor whose pods see this test's folder."""
    volumes, mounts = kubernetes_cluster.volumes(f"{tmp_path}:/app")
    mounts = [{**it, "readOnly": True} for it in mounts]
    return {
        "image": kubernetes_cluster.IMAGE,
        "imagePullPolicy": "Never",
        "config_path": kubernetes_cluster.kubeconfig(),
        "stores_on_host": True,
        "env": {"PYTHONPATH": "/app"},
        "volumes": volumes,
        "volume_mounts": mounts,
    }


@pytest.fixture
def execute(config, tmp_path, monkeypatch):
    """Run a pipeline of a module in the test's folder."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def run(code, **options):
        more = options.pop("config", {})
        (tmp_path / "flow.py").write_text(HEADER + textwrap.dedent(code))
        sys.modules.pop("flow", None)
        import flow

        executor = {"type": "kubernetes", "config": {**config, **more}}
        return flow.build().execute(services={"pipeline_executor": executor}, **options)

    yield run
    sys.modules.pop("flow", None)


def failing(body, returns=()):
    return f"""
    def work():
        {body}

    def build():
        return of(PythonTask(name="s", function=work, returns={list(returns)}))
    """


def reason(execute, code, **options):
    with pytest.raises(ExecutionFailedError) as caught:
        execute(code, **options)
    attempts = caught.value.run_log.steps["s"].attempts
    assert [it.status for it in attempts] == ["FAIL"]
    return attempts[0].message


def test_a_pipeline_whose_steps_hand_on_everything(execute, capfd):
    log = execute(EVERYTHING, config={"overrides": {"tmp": {"workingDir": "/tmp"}}})
    assert log.status == "SUCCESS"
    assert log.parameters["total"].value == 12
    assert log.parameters["end"].value == 27
    assert "prepared in" in capfd.readouterr().out
    assert "runnable-" not in kubectl("get", "jobs")


def test_a_step_that_fails_says_why(execute):
    code = failing("raise ValueError('no such day')")
    assert "no such day" in reason(execute, code)


def test_a_process_that_dies_says_how(execute):
    message = reason(execute, failing("import ctypes; ctypes.string_at(0)"))
    assert "ended with status 139" in message


def test_out_of_memory_is_the_reason(execute):
    code = failing("return len(bytearray(900_000_000))", ["n"])
    message = reason(
        execute, code, config={"resources": {"limits": {"memory": "200Mi"}}}
    )
    assert "OOMKilled" in message
    assert "200Mi" in message


def test_a_deadline_is_the_reason(execute):
    code = failing("print('began', flush=True); time.sleep(600)")
    with pytest.raises(ExecutionFailedError) as caught:
        execute(code, config={"activeDeadlineSeconds": 6})
    # Its process was asked to end, and has recorded that, if it could.
    *earlier, last = caught.value.run_log.steps["s"].attempts
    assert {it.status for it in earlier} <= {"CANCELLED"}
    assert last.status == "FAIL"
    assert "DeadlineExceeded" in last.message


def test_a_pod_without_a_node_or_an_image(execute):
    code = failing("pass")
    quick = {"pending_seconds": 3}
    message = reason(execute, code, config={"node_selector": {"no": "node"}, **quick})
    assert "found no node" in message
    assert "Unschedulable" in message
    message = reason(execute, code, config={"image": "localhost/nothing:1", **quick})
    assert "ErrImageNeverPull" in message


def test_secrets_are_references(execute, capfd, monkeypatch):
    secret = "wrong-horse-battery"
    monkeypatch.setenv("TOKEN", secret)
    kubectl("create", "secret", "generic", "ours", f"--from-literal=TOKEN={secret}")
    log = execute(
        """
        def work():
            print(os.environ["TOKEN"])
            return len(os.environ["TOKEN"])

        def build():
            return of(
                PythonTask(name="s", function=work, returns=["n"], secrets=["TOKEN"])
            )
        """,
        config={"secret_from_k8s": "ours", "auto_remove": False},
    )
    assert log.parameters["n"].value == len(secret)
    seen = kubectl("get", "jobs,pods", "-o", "json")
    kubectl("delete", "jobs", "--all")
    assert json.loads(seen)["items"]
    assert secret not in seen + capfd.readouterr().out
    for it in (it for it in Path().rglob("*") if it.is_file()):
        assert secret.encode() not in it.read_bytes()


@pytest.mark.parametrize("value", ["$(id) $(HOME) {{x}} -rf", "l\nl", "ü" * 100_000])
def test_hostile_values_arrive_as_they_are(execute, value):
    log = execute(
        """
        def same(value):
            return value

        def build():
            return of(PythonTask(name="$(id) $(HOME)", function=same, returns=["got"]))
        """,
        parameters={"value": value},
    )
    assert log.parameters["got"].value == value


def test_ctrl_c_deletes_the_job(config, tmp_path):
    (tmp_path / "flow.py").write_text(
        HEADER
        + textwrap.dedent(
            f"""
            def work():
                print("began", flush=True)
                time.sleep(600)

            def build():
                return of(PythonTask(name="s", function=work))

            if __name__ == "__main__":
                build().execute(run_id="r1", services={{"pipeline_executor":
                    {{"type": "kubernetes", "config": {config!r}}}}})
            """
        )
    )
    with subprocess.Popen(
        [sys.executable, "flow.py"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert "began" in next(it for it in process.stdout if "began" in it)
        process.send_signal(signal.SIGINT)
        assert process.wait(90)
    wait_until(lambda: "runnable-" not in kubectl("get", "pods"))
    assert get_run_log("r1").steps["s"].attempts[-1].status == "CANCELLED"


def test_what_is_refused_before_anything_starts(execute):
    code = failing("pass")
    with pytest.raises(ConfigurationError, match="pods do not see"):
        execute(code, config={"stores_on_host": False})
    with pytest.raises(ConfigurationError, match="no configuration of Kubernetes"):
        execute(code, config={"config_path": "nowhere.yaml"})
    assert not Path(".run_log_store").exists()


def test_a_cluster_that_is_away(execute, config, tmp_path):
    content = Path(config["config_path"]).read_text()
    port = content.partition("127.0.0.1:")[2].partition('"')[0]
    away = tmp_path / "away.yaml"
    away.write_text(content.replace(f":{port}", ":9"))
    with pytest.raises(ConfigurationError, match="does not list the pods"):
        execute(failing("pass"), config={"config_path": str(away)})
