"""What is recorded of the branches of a chunk: the same as in one process."""

import pytest

from runnable import Map, Parallel, Pipeline, PythonTask
from runnable.datastore.memory import MemoryRunLogStore
from runnable.journal import BranchFinished, BranchStarted


def pipeline(parallelism):
    def work(x):
        return x * x

    inner = PythonTask(name="s", function=work, returns=["y"]).as_pipeline()
    both = Parallel(name="p", branches={"a": inner, "b": inner}).as_pipeline()
    step = Map(
        name="m",
        branch=both,
        iterate_on="xs",
        iterate_as="x",
        parallelism=parallelism,
        max_workers=2,
    )
    return Pipeline(steps=[step])


def records(parallelism):
    store = MemoryRunLogStore()
    services = {"run_log_store": store, "catalog": {"type": "do-nothing"}}
    log = pipeline(parallelism).execute(
        parameters={"xs": list(range(40))}, services=services, run_id="r1"
    )
    return list(store.read("r1")), log


def by_branch(records):
    """Return what happened in each branch of the map, in order."""
    found = {}
    for record in records:
        path = getattr(record, "path", "")
        if path.startswith("m."):
            branch = ".".join(path.split(".")[:2])
            kind = type(record).__name__
            what = (kind, path, getattr(record, "status", ""))
            found.setdefault(branch, []).append(what)
    return {branch: sorted(it) for branch, it in found.items()}


def test_a_worker_records_what_this_process_would():
    here, log_here = records("none")
    there, log_there = records("process")
    assert by_branch(here) == by_branch(there)
    assert log_here.parameters["y"] == log_there.parameters["y"]


def test_a_branch_is_recorded_from_its_own_start_to_its_own_end():
    there, _ = records("process")
    ends = {it.path: it.at for it in there if isinstance(it, BranchFinished)}
    starts = {it.path: it.at for it in there if isinstance(it, BranchStarted)}
    assert set(starts) == set(ends)
    assert all(starts[path] <= ends[path] for path in starts)
    one_level = [path for path in starts if path.count(".") == 1]
    # In a chunk, they follow each other.
    assert len({starts[path] for path in one_level}) > 2


def test_objects_in_memory_come_back(in_memory):
    from runnable import pickled

    def make(x):
        return {x}

    def collect(made):
        return sum(len(it) for it in made)

    task = PythonTask(name="s", function=make, returns=[pickled("made")])
    step = Map(
        name="m",
        branch=task.as_pipeline(),
        iterate_on="xs",
        iterate_as="x",
        parallelism="process",
    )
    total = PythonTask(name="t", function=collect, returns=["total"])
    log = Pipeline(steps=[step, total]).execute(
        parameters={"xs": list(range(30))}, services=in_memory
    )
    assert log.parameters["total"].value == 30


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_what_a_task_raises_ends_the_run_as_in_a_thread(in_memory, error):
    def work(x):
        if x == 20:
            raise error
        return x

    outcomes = []
    for parallelism in ("none", "process"):
        task = PythonTask(name="s", function=work, returns=["y"])
        step = Map(
            name="m",
            branch=task.as_pipeline(),
            iterate_on="xs",
            iterate_as="x",
            parallelism=parallelism,
        )
        with pytest.raises(BaseException) as caught:
            Pipeline(steps=[step]).execute(
                parameters={"xs": list(range(30))}, services=in_memory
            )
        outcomes.append(type(caught.value))
    assert outcomes[0] is outcomes[1]
