"""One pipeline, with nodes of all kinds nested, on every executor: the same run log."""

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import yaml

from runnable import get_run_log
from runnable.engine import process_identity
from tests.support import (
    clusters,
    docker_service,
    executors,
    kubernetes_cluster,
    one_pipeline,
)
from tests.support.argo_interpreter import Interpreter
from tests.support.gates import wait_until
from tests.support.kubernetes_cluster import kubectl
from tests.support.random_pipelines import comparable

TOKEN = "s3cr3t-of-the-one-pipeline"
KINDS = [
    "processes",
    "emulator",
    "argo",
    *(pytest.param(it, marks=clusters.needs(it)) for it in clusters.KINDS),
    *(pytest.param(it, marks=docker_service.needs(it)) for it in docker_service.KINDS),
    pytest.param("kubernetes", marks=kubernetes_cluster.needs()),
]


@pytest.fixture(scope="module", autouse=True)
def secret():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(one_pipeline.SECRET, TOKEN)
        patch.syspath_prepend(str(docker_service.ROOT))
        yield


def services_of(kind, folder):
    """Return the executor of a kind, as a configuration, with the secret."""
    made = executors.executor_of(kind, folder)
    if kind == "kubernetes":
        kubernetes_cluster.secret("one-pipeline", {one_pipeline.SECRET: TOKEN})
        made["config"]["secret_from_k8s"] = "one-pipeline"
    return made


def execute(kind, folder, **options):
    """Run the pipeline in a folder, or resume it there; return its run log."""
    if kind == "argo":
        return with_argo(folder, **options)
    options.setdefault("parameters", one_pipeline.PARAMETERS)
    services = {"pipeline_executor": services_of(kind, folder)}
    with in_folder(folder):
        return one_pipeline.build().execute(services=services, **options)


def with_argo(folder, parameters=one_pipeline.PARAMETERS, **options):
    interpreter = submitted(folder, parameters, **options)
    phase = interpreter.run()
    failed = [it.said[-1500:] for it in interpreter.pods if it.status]
    with in_folder(folder):
        log = get_run_log(options.get("resume") or interpreter.name)
    assert (phase, log.status) == ("Succeeded", "SUCCESS"), failed
    return log


def submitted(folder, parameters, resume="", **more):
    """Render the workflow of the pipeline, as a user would, and hand it to Argo."""
    root = str(docker_service.ROOT)
    workflow = {"metadata": {"generate_name": "one-"}}
    config = {
        "argo_workflow": workflow,
        "defaults": {
            "image": "flows:1",
            "env": [{"name": "PYTHONPATH", "value": root}],
        },
        "pvc_for_runnable": "stores",
        "secret_from_k8s": "one-pipeline",
    }
    executor = {"type": "argo", "config": config}
    (folder / "argo.yaml").write_text(yaml.safe_dump({"pipeline-executor": executor}))
    (folder / "parameters.yaml").write_text(yaml.safe_dump(parameters))
    command = ["argo", "render", "tests.support.one_pipeline:build", "-o", "-"]
    files = ["-c", "argo.yaml", "-p", "parameters.yaml"]
    done = subprocess.run(
        [sys.executable, "-m", "runnable.cli", *command, *files],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": root},
        check=True,
        capture_output=True,
        text=True,
    )
    assert TOKEN not in done.stdout
    (folder / ".stores").mkdir(exist_ok=True)
    for name, place in (("run_logs", ".run_log_store"), ("catalog", ".catalog")):
        (folder / place).mkdir(exist_ok=True)
        link = folder / ".stores" / name
        if not link.exists():
            link.symlink_to(folder / place)
    arguments = {"run_id": resume, "retry_run_id": resume} if resume else {}
    return Interpreter(
        yaml.safe_load(done.stdout),
        folder,
        {"stores": str(folder / ".stores")},
        {"one-pipeline": {one_pipeline.SECRET: TOKEN}},
        arguments,
        **more,
    )


@contextmanager
def in_folder(folder):
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def recorded(log):
    """Return what a run log says, without what belongs to one execution of it."""
    content = comparable(log)
    content.pop("tag", None)
    text = json.dumps(content, default=str, sort_keys=True)
    return json.loads(text.replace(log.run_id, "RUN"))


def differences(one, other, path=""):
    """List where two values differ."""
    if isinstance(one, dict) and isinstance(other, dict):
        keys = [*other, *(it for it in one if it not in other)]
        return [
            found
            for key in keys
            for found in differences(one.get(key), other.get(key), f"{path}/{key}")
        ]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return [
            found
            for at, pair in enumerate(zip(one, other, strict=True))
            for found in differences(*pair, f"{path}/{at}")
        ]
    return [] if one == other else [(path, str(one)[:300], str(other)[:300])]


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """What the run log says where each step runs in a thread."""
    return recorded(execute("threads", tmp_path_factory.mktemp("threads")))


@pytest.mark.parametrize("kind", KINDS)
def test_the_run_log_is_the_same(kind, expected, tmp_path):
    assert differences(recorded(execute(kind, tmp_path)), expected) == []
    for file in tmp_path.rglob("*"):
        assert file.is_dir() or TOKEN.encode() not in file.read_bytes(), file


PAIRS = [
    ("threads", "argo"),
    ("argo", "emulator"),
    ("emulator", "processes"),
    ("processes", "docker"),
    ("docker", "threads"),
    ("dask", "ray"),
    ("ray", "dask"),
    ("podman", "threads"),
    ("kubernetes", "threads"),
    ("argo", "kubernetes"),
]
MARKS = {
    **{it: clusters.needs(it) for it in clusters.KINDS},
    **{it: docker_service.needs(it) for it in docker_service.KINDS},
    "kubernetes": kubernetes_cluster.needs(),
}


@pytest.mark.parametrize(
    ("begins", "ends"),
    [
        pytest.param(
            *pair, marks=[MARKS[it] for it in pair if it in MARKS], id="-".join(pair)
        )
        for pair in PAIRS
    ],
)
def test_a_killed_run_is_resumed_elsewhere(
    begins, ends, expected, tmp_path, monkeypatch
):
    # Whether a process of another container lives, is known by what it says only.
    monkeypatch.setattr(process_identity, "_SILENT_SECONDS", 3)
    held = tmp_path / "held"
    parameters = {**one_pipeline.PARAMETERS, "hold": str(held)}
    begin = with_argo_until if begins == "argo" else until
    run_id = begin(held, begins, tmp_path, parameters)
    time.sleep(4 if begins in {"docker", "podman", "kubernetes"} else 0)
    log = execute(ends, tmp_path, parameters=parameters, resume=run_id)
    assert log.status == "SUCCESS"
    # Only the step that was killed has run again.
    found = differences(recorded(log), expected)
    ignored = ("/hold/", "/steps/fail/") if begins == "argo" else ("/hold/",)
    assert [it for it in found if not any(i in f"{it[0]}/" for i in ignored)] == []
    attempts = log.steps["hold"].attempts
    assert [it.status for it in attempts][-1] == "SUCCESS"
    assert len(attempts) == 2


def until(held, kind, folder, parameters):
    """Begin a run in another process, and kill everything in the midst of a step."""
    code = (
        "import json, sys; sys.path.insert(0, sys.argv[1]);"
        "from tests.support import one_pipeline;"
        "one_pipeline.build().execute(**json.loads(sys.stdin.read()))"
    )
    services = {"pipeline_executor": services_of(kind, folder)}
    options = {"services": services, "parameters": parameters, "run_id": "killed"}
    with subprocess.Popen(
        [sys.executable, "-c", code, str(docker_service.ROOT)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(docker_service.ROOT)},
        stdin=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        process.stdin.write(json.dumps(options).encode())
        process.stdin.close()
        try:
            wait_until(lambda: held.exists() and held.read_text(), seconds=120)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
    end_step(kind, int(held.read_text()))
    return "killed"


def end_step(kind, process_id):
    """Kill the process of a step whose run has been killed."""
    match kind:
        case "docker" | "podman":
            docker_service.kill_all(kind)
        case "kubernetes":
            kubectl("delete", "jobs,pods", "--all", "--force", "--grace-period=0")
        case _:
            with suppress(ProcessLookupError):
                os.kill(process_id, signal.SIGKILL)


def with_argo_until(held, kind, folder, parameters):
    """Begin a run with Argo, and kill the pod of a step."""
    interpreter = submitted(folder, parameters)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(interpreter.run)
        wait_until(lambda: held.exists() and held.read_text(), seconds=120)
        end_step(kind, int(held.read_text()))
        assert running.result() == "Failed"
    with in_folder(folder):
        log = get_run_log(interpreter.name)
    assert log.status == "FAIL"
    assert "has recorded no end" in log.steps["hold"].attempts[-1].message
    return interpreter.name
