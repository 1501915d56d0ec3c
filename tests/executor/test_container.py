"""Steps in containers, of real Docker and real Podman."""

import gc
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from runnable import ExecutionFailedError, get_run_log
from runnable.exceptions import ConfigurationError
from tests.support import docker_service
from tests.support.container_flows import EVERYTHING, HEADER
from tests.support.gates import wait_until

SERVICES = [
    pytest.param(it, marks=docker_service.needs(it)) for it in docker_service.KINDS
]


@pytest.fixture(params=SERVICES)
def kind(request):
    return request.param


@pytest.fixture
def config(kind, tmp_path):
    """The settings of an executor whose containers see this test's folder."""
    return {
        "docker_host": docker_service.service(kind),
        "docker_image": docker_service.IMAGE,
        "network": "none",
        "environment": {"PYTHONPATH": "/app"},
        "volumes": [*docker_service.volumes(), f"{tmp_path}:/app:ro"],
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

        pipeline = flow.build()
        executor = {"type": "local-container", "config": {**config, **more}}
        return pipeline.execute(services={"pipeline_executor": executor}, **options)

    yield run
    sys.modules.pop("flow", None)


def docker_client(kind):
    import docker

    return docker.DockerClient(docker_service.service(kind))


def test_a_pipeline_whose_steps_hand_on_everything(execute, capfd):
    log = execute(EVERYTHING, config={"overrides": {"tmp": {"working_dir": "/tmp"}}})
    assert log.status == "SUCCESS"
    assert log.parameters["total"].value == 12
    assert log.parameters["end"].value == 27
    captured = capfd.readouterr()
    assert "prepared in" in captured.out
    assert "standard error" in captured.err
    kept = [it.name for it in Path(".catalog").rglob("*.execution.log")]
    assert any("prepare" in it for it in kept)
    identities = log.steps["prepare"].attempts[0].code_identities
    assert "docker" in [it.code_identifier_type for it in identities]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("sys.exit(7)", "SystemExit: 7"),
        ("raise ValueError('no such day')", "no such day"),
        ("import ctypes; ctypes.string_at(0)", "ended by signal 11"),
    ],
)
def test_a_step_that_fails_says_why(execute, body, reason):
    with pytest.raises(ExecutionFailedError) as caught:
        execute(
            f"""
            def work():
                {body}

            def build():
                return of(PythonTask(name="s", function=work))
            """
        )
    attempts = caught.value.run_log.steps["s"].attempts
    assert [it.status for it in attempts] == ["FAIL"]
    assert reason in attempts[0].message


def test_out_of_memory_is_the_reason(execute):
    with pytest.raises(ExecutionFailedError) as caught:
        execute(
            """
            def work():
                return len(bytearray(900_000_000))

            def build():
                return of(PythonTask(name="s", function=work, returns=["n"]))
            """,
            config={"memory": "200m"},
        )
    message = caught.value.run_log.steps["s"].attempts[0].message
    assert "out of memory" in message
    assert "200m" in message


def test_secrets_are_files_that_nobody_else_sees(execute, monkeypatch, capfd, kind):
    secret = "wrong-horse-\n-battery"
    monkeypatch.setenv("TOKEN", secret)
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
        config={"auto_remove_container": False},
    )
    assert log.parameters["n"].value == len(secret)
    captured = capfd.readouterr()
    client = docker_client(kind)
    (container,) = client.containers.list(
        all=True, filters={"label": f"runnable.run_id={log.run_id}"}
    )
    seen = str(container.attrs) + container.logs().decode() + captured.out
    container.remove()
    client.close()
    assert "wrong-horse" not in seen
    for it in (it for it in Path().rglob("*") if it.is_file()):
        assert b"wrong-horse" not in it.read_bytes()


@pytest.mark.parametrize(
    "value", ["$(id)", "a;b", "-rf", "{{x}}", 'it\'s "so"', "l\nl", "ü" * 100_000]
)
def test_hostile_values_arrive_as_they_are(execute, value, kind):
    if kind == "podman" and value != "$(id)":
        pytest.skip("of Podman, one is enough: the values are in no command")
    log = execute(
        """
        def same(value):
            return value

        def build():
            return of(PythonTask(name="$(id) -x", function=same, returns=["got"]))
        """,
        parameters={"value": value},
    )
    assert log.parameters["got"].value == value


def test_ctrl_c_stops_the_container(config, tmp_path, kind):
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
                    {{"type": "local-container", "config": {config!r}}}}})
            """
        )
    )
    with subprocess.Popen(
        [sys.executable, "flow.py"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert "began" in next(it for it in process.stdout if "began" in it)
        process.send_signal(signal.SIGINT)
        assert process.wait(60)
    client = docker_client(kind)
    named = {"label": "runnable.run_id=r1"}
    wait_until(lambda: not client.containers.list(all=True, filters=named))
    client.close()
    assert get_run_log("r1").steps["s"].attempts[-1].status == "CANCELLED"


def test_an_image_that_is_not_there(execute):
    with pytest.raises(ConfigurationError, match="no image 'localhost/nothing:1'"):
        execute(
            """
            def build():
                return of(PythonTask(name="s", function=print))
            """,
            config={"docker_image": "localhost/nothing:1", "pull": "never"},
        )
    assert not Path(".run_log_store").exists()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_service_that_is_not_there():
    from runnable import Pipeline, PythonTask

    nowhere = {"docker_host": "unix:///nowhere.sock", "docker_image": "x"}
    with pytest.raises(ConfigurationError, match="cannot be reached at unix:///nowh"):
        Pipeline(steps=[PythonTask(name="s", function=print)]).execute(
            services={"pipeline_executor": {"type": "local-container", **nowhere}}
        )
    gc.collect()  # Docker's SDK leaves a socket open when it cannot connect


def test_overrides_are_checked_before_anything_starts(execute):
    code = """
    def build():
        task = PythonTask(
            name="s", function=print, overrides={"local-container": "big"}
        )
        return of(task)
    """
    with pytest.raises(ConfigurationError, match="no overrides 'big'"):
        execute(code)
    with pytest.raises(ConfigurationError, match="memmory"):
        execute(code, config={"overrides": {"big": {"memmory": "1g"}}})
