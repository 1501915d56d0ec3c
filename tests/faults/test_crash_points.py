"""kill -9 before, in the middle of and after all that a run keeps."""

import contextlib
import json
import subprocess
import sys
from pathlib import Path

import crashing
import killing
import postgres
import pytest
import s3

from containers.plugins import Plugins
from runnable.exceptions import RunLogNotFoundError

WHY_NOT = {"postgres": postgres.why_not, "s3": s3.why_not}


@pytest.mark.parametrize("kind", killing.STORES)
def test_a_run_is_resumed_from_every_point(kind, tmp_path):
    if reason := WHY_NOT.get(kind, str)():
        pytest.skip(reason)
    with killing.service(kind, tmp_path) as service:
        command = [
            sys.executable,
            crashing.__file__,
            str(tmp_path),
            json.dumps(service),
        ]
        said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        points = dict(line.split(" ", 1) for line in said.stdout.splitlines())
        for run_id, point in points.items():
            with contextlib.chdir(tmp_path / run_id):
                check(run_id, point, service)
    named = [point.split()[:2] for point in points.values()]
    for when in ("before", "after", *["amid"] * (kind == "file-system")):
        assert named.count([when, "create"]) == 1
        assert named.count([when, "append"]) == 4
    for other in ("put_object", "put_files", "close_attempts", "finish"):
        assert named.count(["before", other]) >= 1, named


def check(run_id: str, point: str, service: dict) -> None:
    store = Plugins().make_service("run_log_store", service)
    try:
        status = store.get_run_log_by_id(run_id).status
    except RunLogNotFoundError:
        status = "nothing"
    store.close()
    if "RunStarted" in point and "after" not in point:
        assert status == "nothing", point
        crashing.build().execute(
            run_id=run_id, parameters={"n": 0}, services={"run_log_store": service}
        )
        return
    assert status == ("SUCCESS" if is_over(point) else "PROCESSING"), point
    if status == "SUCCESS":
        return
    run_log = crashing.build().execute(
        resume=run_id, services={"run_log_store": service}
    )
    assert run_log.status == "SUCCESS", point
    assert run_log.parameters["n"].value == 2
    assert Path(f".catalog/{run_id}/out.txt").read_text() == "kept once", point
    with open("calls.txt") as file:
        calls = file.read().split()
    assert {"make", "use"} == set(calls)
    # At most what was under way was run again.
    assert len(calls) <= 3, point


def is_over(point: str) -> bool:
    return point == "end" or "finish" in point or point == "after append RunFinished"
