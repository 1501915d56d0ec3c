"""What a run has left: values, objects, files and what its steps have printed."""

import pickle
from pathlib import Path

import pytest

from runnable import (
    Catalog,
    ExecutionFailedError,
    Map,
    Pipeline,
    PythonJob,
    PythonTask,
    ShellTask,
    get_run_log,
    metric,
    pickled,
)
from runnable.catalog.base import BaseCatalog
from runnable.datastore import RunLog
from runnable.errors import StoreError
from runnable.exceptions import ArtifactNotFoundError, CatalogError


class Model:
    """Something that is pickled."""

    def __init__(self, weights):
        self.weights = weights


def train():
    print("training")
    Path("report.txt").write_text("all is well")
    Path("more").mkdir(exist_ok=True)
    Path("more", "räport %20.bin").write_bytes(b"\0\1")
    return Model([1, 2]), 0.75, 3


def executed():
    task = PythonTask(
        name="train",
        function=train,
        returns=[pickled("model"), metric("auc"), "count"],
        catalog=Catalog(put=["report.txt", "more/*"]),
    )
    return Pipeline(steps=[task]).execute(run_id="r1")


@pytest.fixture(params=["executed", "read"])
def run_log(request):
    run_log = executed()
    return run_log if request.param == "executed" else get_run_log("r1")


def test_artifacts_are_values_metrics_and_objects(run_log):
    assert run_log.artifact("model").weights == [1, 2]
    assert run_log.artifact("auc") == 0.75
    assert run_log.artifact("count", step="train") == 3


def test_an_artifact_that_there_is_not():
    run_log = executed()
    with pytest.raises(
        ArtifactNotFoundError, match=r"'modle' is not in run 'r1'\. Did"
    ):
        run_log.artifact("modle")
    with pytest.raises(ArtifactNotFoundError, match="step 'other' of run 'r1'"):
        run_log.artifact("model", step="other")


def test_files_are_listed_read_and_copied(run_log, tmp_path):
    files = {it.name: it for it in run_log.files()}
    assert list(files) == ["report.txt", "more/räport %20.bin", "model"]
    assert [it.kind for it in files.values()] == ["file", "file", "object"]
    assert {it.step for it in files.values()} == {"train"}
    assert files["more/räport %20.bin"].read_bytes() == b"\0\1"
    copied = files["report.txt"].save(tmp_path / "copy.txt")
    assert copied.read_text() == "all is well"


def test_what_is_not_there_any_more():
    (file,) = [it for it in executed().files() if it.name == "report.txt"]
    Path(".catalog/r1/report.txt").unlink()
    with pytest.raises(ArtifactNotFoundError, match="is not in the catalog any more"):
        file.read_bytes()


def test_the_latest_of_each_place_is_listed():
    tasks = [
        ShellTask(name=f"s{number}", command=f"echo {number} > x.txt")
        for number in (1, 2)
    ]
    tasks = [it.model_copy(update={"catalog": Catalog(put=["x.txt"])}) for it in tasks]
    (file,) = Pipeline(steps=tasks).execute(run_id="r1").files()
    assert (file.step, file.read_bytes()) == ("s2", b"2\n")


def test_execution_logs_of_attempts_and_branches(tmp_path):
    def flaky(x, folder):
        print(f"hello {x}")
        flag = Path(folder, f"flag{x}")
        if x == 2 and not flag.exists():
            flag.touch()
            raise ValueError("not yet")

    task = PythonTask(name="s", function=flaky, retries=1)
    step = Map(name="m", branch=task.as_pipeline(), iterate_on="xs", iterate_as="x")
    parameters = {"xs": [1, 2], "folder": str(tmp_path)}
    run_log = Pipeline(steps=[step]).execute(run_id="r1", parameters=parameters)
    logs = [it for it in run_log.execution_logs() if it.text]
    assert [(it.step, it.attempt.attempt_number) for it in logs] == [
        *(("m.1.s", 1), ("m.2.s", 1), ("m.2.s", 2))
    ]
    assert "ValueError: not yet" in logs[1].text
    assert next(it.step for it in run_log.execution_logs("m.2")) == "m.2.s"
    assert not list(run_log.execution_logs("m.2.s.other"))


def test_jobs():
    job = PythonJob(function=train, returns=[pickled("model"), metric("auc"), "count"])
    run_log = job.execute()
    assert run_log.artifact("model").weights == [1, 2]
    (log,) = run_log.execution_logs()
    assert (log.step, log.text) == ("job", "training\n")


def test_a_run_log_that_knows_no_catalog():
    with pytest.raises(StoreError, match="read it with get_run_log"):
        pickle.loads(pickle.dumps(executed())).files()[0].read_bytes()


def test_a_failed_run_has_what_it_has_left():
    def fail():
        print("so far")
        raise ValueError("bad")

    with pytest.raises(ExecutionFailedError):
        Pipeline(steps=[PythonTask(name="s", function=fail)]).execute(run_id="r1")
    log = next(iter(get_run_log("r1").execution_logs("s")))
    assert log.text.startswith("so far\n")


def test_a_name_that_leaves_the_run_is_refused():
    executed()
    run_log = get_run_log("r1")
    for key in ("../r2/x", "/etc/passwd", "a/../../x", ".."):
        file = run_log.files()[0]
        moved = type(file)("x", "s", "file", key, "", None, file._reader)
        with pytest.raises(CatalogError):
            moved.read_bytes()


def test_a_catalog_that_cannot_read_says_so():
    with pytest.raises(CatalogError, match="does not know how"):
        BaseCatalog.open_file(object(), "x", run_id="r1")


def test_logs_of_what_makes_its_own_catalog_nothing():
    services = {"catalog": {"type": "do-nothing"}}
    task = PythonTask(name="s", function=lambda: print("x"))
    run_log = Pipeline(steps=[task]).execute(services=services)
    assert [it.text for it in run_log.execution_logs("s")] == [""]
    assert RunLog(run_id="r1").files() == []
