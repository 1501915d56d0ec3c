"""Clusters for tests: one of each kind for a test session, started when needed."""

import atexit
import functools
import importlib.util

import pytest

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
    if kind == "ray":
        return {"n_workers": 2}  # Ray keeps the one that the first run has started
    from distributed.deploy.subprocess import SubprocessCluster

    cluster = SubprocessCluster(
        n_workers=2,
        threads_per_worker=1,
        dashboard_address=None,
        worker_kwargs={"memory_limit": 0},
    )
    atexit.register(cluster.close)
    return {"scheduler_address": cluster.scheduler_address}
