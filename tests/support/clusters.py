"""Clusters for tests: one of each kind for a test session, started when needed."""

import atexit
import functools
import importlib.util
import os
from pathlib import Path

import pytest

from runnable import PythonTask

KINDS = ("dask", "ray")
_MODULES = {"dask": "distributed", "ray": "ray"}


def needs(kind):
    """Return a mark that skips a test where there is no such cluster."""
    there = importlib.util.find_spec(_MODULES[kind]) is not None
    reason = f"{kind} is not installed: pip install 'runnable[{kind}]'"
    return pytest.mark.skipif(not there, reason=reason)


def executor(kind):
    """Return the configuration of an executor that uses the cluster of the session."""
    return {"type": kind, "config": dict(_started(kind))}


@functools.cache
def _started(kind):
    with pytest.MonkeyPatch.context() as patch:
        # Its workers import modules of the tests.
        patch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
        return _configuration(kind)


def _configuration(kind):
    if kind == "ray":
        config = {"n_workers": 2}
        services = {"pipeline_executor": {"type": "ray", "config": config}}
        # Ray keeps the cluster that its first run has started.
        task = PythonTask(name="s", function=os.getpid)
        task.as_pipeline().execute(services=services)
        return config
    from distributed.deploy.subprocess import SubprocessCluster

    cluster = SubprocessCluster(
        n_workers=2,
        threads_per_worker=1,
        dashboard_address=None,
        worker_kwargs={"memory_limit": 0},
    )
    atexit.register(cluster.close)
    return {"scheduler_address": cluster.scheduler_address}
