"""What is found out about a cluster before a run starts."""

import pickle

import pytest

from runnable import Pipeline, PythonTask, list_runs
from runnable.engine.cluster_check import check_cluster
from runnable.engine.remote_chunk import look_around
from runnable.engine.workers.protocol import Facts
from runnable.exceptions import ConfigurationError
from runnable.executor import Lost, Sealed
from runnable.system.version import version
from tests.support.clusters import needs


class Cluster:
    """One whose workers answer what a test wants."""

    name = "the cluster"

    def __init__(self, answer):
        self.answer = answer

    def ask_all(self, function, content):
        del function
        answer = self.answer(content) if callable(self.answer) else self.answer
        return {"w1": answer}


class Services:
    """Stores that have a folder each."""

    def __init__(self, folder):
        self.run_log_store = self.catalog = self
        self.folder = folder

    def own_folder(self):
        return str(self.folder)


def checked(answer, folder):
    graph = Pipeline(steps=[PythonTask(name="s", function=print)]).return_dag()
    check_cluster(Cluster(answer), graph, Services(folder))


def facts(**more):
    given = {"version": version(), "python": "", "missing": [], "unseen": [], **more}
    return Sealed(pickle.dumps(Facts(**given)))


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (Lost("ModuleNotFoundError: runnable"), "Is `runnable` installed there"),
        (facts(version="0.9"), "it has runnable 0.9; this process has"),
        (facts(python="3.8.1"), "functions travel only to Python"),
        (facts(missing=["flows (ImportError: x)"]), "cannot import flows"),
    ],
)
def test_what_is_wrong_there_is_said(answer, message, tmp_path):
    with pytest.raises(ConfigurationError, match="worker w1: .*" + message[:20]) as it:
        checked(answer, tmp_path)
    assert message in str(it.value)


def test_a_worker_on_another_disk_does_not_see_the_stores(tmp_path):
    def elsewhere(content):
        for it in tmp_path.iterdir():
            it.unlink()
        return look_around(content)

    with pytest.raises(ConfigurationError, match="does not see the run log store in"):
        checked(elsewhere, tmp_path)


def test_nothing_is_left_in_the_stores(tmp_path):
    checked(look_around, tmp_path)
    assert not list(tmp_path.iterdir())


@needs("dask")
def test_a_scheduler_that_is_not_there(monkeypatch):
    monkeypatch.setattr("runnable.executor.dask._CONNECT_SECONDS", 1)
    nowhere = {"type": "dask", "config": {"scheduler_address": "tcp://127.0.0.1:9"}}
    with pytest.raises(ConfigurationError, match=r"tcp://127\.0\.0\.1:9 cannot be"):
        Pipeline(steps=[PythonTask(name="s", function=print)]).execute(
            services={"pipeline_executor": nowhere}
        )
    assert not list(list_runs())
