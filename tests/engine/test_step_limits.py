"""Tasks that name what they take: never more of them than there is."""

import asyncio
import subprocess
import sys
import threading
import time
import uuid
from functools import partial
from pathlib import Path

import pytest
from dependency_injector import providers

from containers import RunContainer
from runnable import (
    AsyncPythonTask,
    ExecutionFailedError,
    Map,
    Parallel,
    Pipeline,
    PythonJob,
    PythonTask,
    ShellTask,
    task,
)
from runnable.concurrency import Runs
from runnable.errors import ConfigurationError
from runnable.scope import find_run
from runnable.sdk.yaml_pipeline import load_pipeline


class OneGpu(RunContainer):
    """Can be imported by worker processes."""

    runs = providers.ThreadSafeSingleton(Runs, limits={"gpu": 1, "api": 3})


class OneTaskAndGpu(RunContainer):
    """Nearly everything has to wait."""

    runs = providers.ThreadSafeSingleton(Runs, max_steps=1, limits={"gpu": 1})


def alone(x=0):
    """Fail if another call of this function is active, in any process."""
    file = Path("active")
    file.touch(exist_ok=False)
    time.sleep(0.02)
    file.unlink()
    return x


def count(x=0):
    """Return how many calls of this function are active, in any process."""
    file = Path(f"active-{uuid.uuid4()}")
    file.touch()
    time.sleep(0.05)
    active = len(list(Path().glob("active-*")))
    file.unlink()
    return active


@pytest.fixture
def importable(monkeypatch):
    """Let worker processes import this module."""
    monkeypatch.setattr(OneGpu, "__module__", "test_step_limits")
    monkeypatch.setitem(sys.modules, "test_step_limits", sys.modules[__name__])
    monkeypatch.syspath_prepend(str(Path(__file__).parent))


def errors_of(*calls):
    """Call functions in threads, all at once; return what they raise."""
    errors = []

    def noted(call):
        try:
            call()
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=noted, args=(it,), daemon=True) for it in calls]
    for it in threads:
        it.start()
    for it in threads:
        it.join(60)
    assert not any(it.is_alive() for it in threads)
    return errors


def map_of(step, **settings):
    """Return a pipeline that runs a step for each of six items, six at once."""
    return Map(
        name="m",
        iterate_on="xs",
        iterate_as="x",
        branch=step.as_pipeline(),
        max_workers=6,
        **settings,
    ).as_pipeline()


ITEMS = {"xs": [1, 2, 3, 4, 5, 6]}


@pytest.mark.parametrize("parallelism", ["thread", "process"])
@pytest.mark.parametrize("workspace", [None, "isolated"])
def test_one_gpu_has_one_task(parallelism, workspace, in_memory, importable, tmp_path):
    step = ShellTask(
        name="s",
        command=f"mkdir {tmp_path}/busy && sleep 0.02 && rmdir {tmp_path}/busy",
        limits=["gpu"],
        workspace=workspace,
    )
    run_log = map_of(step, parallelism=parallelism).execute(
        parameters=ITEMS, services=in_memory, container=OneGpu()
    )
    assert run_log.status == "SUCCESS"


@pytest.mark.parametrize("parallelism", ["thread", "process"])
@pytest.mark.parametrize(("takes", "most"), [(["api"], 3), ({"api": 2}, 1)])
def test_so_many_slots_and_no_fewer(parallelism, takes, most, in_memory, importable):
    step = PythonTask(function=count, returns=["n"], limits=takes)
    run_log = map_of(step, parallelism=parallelism).execute(
        parameters=ITEMS, services=in_memory, container=OneGpu()
    )
    assert max(run_log.outputs["n"]) <= most
    if parallelism == "thread":
        assert max(run_log.outputs["n"]) == most


def test_the_runs_of_a_container_share_its_limits(in_memory):
    pipeline = PythonTask(function=alone, limits="gpu").as_pipeline()
    run = partial(pipeline.execute, services=in_memory, container=OneGpu())
    assert errors_of(*[run] * 8) == []


def test_runs_on_an_event_loop_share_them(in_memory):
    active, most = 0, 0

    async def call():
        nonlocal active, most
        active += 1
        most = max(most, active)
        await asyncio.sleep(0.01)
        active -= 1

    step = AsyncPythonTask(name="call", function=call, limits=["api"])
    pipeline, app = step.as_async_pipeline(), OneGpu()

    async def main():
        runs = (
            pipeline.execute_async(services=in_memory, container=app) for _ in range(12)
        )
        await asyncio.gather(*runs)

    asyncio.run(main())
    assert most == 3


def test_tasks_that_wait_are_in_nobody_s_way(in_memory):
    """Who waits for the GPU takes none of the places of other tasks."""
    release, others = threading.Event(), threading.Semaphore(0)
    begun = threading.Event()

    class App(RunContainer):
        runs = providers.ThreadSafeSingleton(Runs, max_steps=2, limits={"gpu": 1})

    def train():
        begun.set()
        assert release.wait(60)

    def prepare():
        others.release()

    trains = {
        f"t{number}": PythonTask(function=train, limits=["gpu"]).as_pipeline()
        for number in range(4)
    }
    step = Parallel(name="trains", branches=trains, max_workers=4)
    app = App()
    training = threading.Thread(
        target=step.as_pipeline().execute,
        kwargs={"services": in_memory, "container": app},
    )
    training.start()
    try:
        assert begun.wait(60)
        (limiter,) = app.runs().step_limits.limiters()
        while not limiter._waiting:  # nothing else tells that somebody waits
            time.sleep(0.01)
        for _ in range(3):
            pipeline = PythonTask(function=prepare).as_pipeline()
            pipeline.execute(services=in_memory, container=app)
            assert others.acquire(timeout=60)
    finally:
        release.set()
        training.join()


def test_a_failed_try_gives_its_slots_back_before_the_next(in_memory):
    tried = []

    def fail_once():
        tried.append(1)
        if len(tried) < 2:
            raise OSError("the first time")

    step = PythonTask(function=fail_once, limits=["gpu"], retries=1)
    app = OneGpu()
    step.as_pipeline().execute(services=in_memory, container=app)
    (limiter,) = app.runs().step_limits.limiters()
    assert limiter.acquire_free({"gpu": 1, "api": 3})


@pytest.mark.parametrize("takes", [["gpu"], []])
def test_a_nested_run_has_what_its_step_has(takes, in_memory):
    app = OneTaskAndGpu()
    inner = Parallel(
        name="p",
        branches={
            key: PythonTask(function=alone, limits=["gpu"]).as_pipeline()
            for key in "ab"
        },
    ).as_pipeline()

    def outer():
        inner.execute(services=in_memory, container=app)

    pipeline = PythonTask(function=outer, limits=takes).as_pipeline()
    run = partial(pipeline.execute, services=in_memory, container=app)
    assert errors_of(*[run] * 3) == []


def test_a_nested_run_that_would_wait_while_it_holds_is_refused(in_memory):
    app = OneGpu()
    inner = PythonTask(function=alone, limits=["api"]).as_pipeline()

    def outer():
        inner.execute(services=in_memory, container=app)

    step = PythonTask(function=outer, limits=["gpu"])
    with pytest.raises(Exception) as caught:
        step.as_pipeline().execute(services=in_memory, container=app)
    assert "name there all that the pipeline takes" in str(caught.value.__cause__)
    step = PythonTask(function=outer, limits=["gpu", "api"])
    step.as_pipeline().execute(services=in_memory, container=app)


@pytest.mark.parametrize(
    ("takes", "problem"),
    [
        (
            ["gqu"],
            "step 'alone' takes 1 of 'gqu', for which there is no limit. Did you",
        ),
        ({"gpu": 2}, "step 'alone' takes 2 of 'gpu', of which there are 1 at all"),
    ],
)
def test_what_can_never_be_had_is_refused_at_once(takes, problem, in_memory):
    pipeline = PythonTask(function=alone, limits=takes).as_pipeline()
    with pytest.raises(ConfigurationError, match=problem):
        pipeline.execute(services=in_memory, container=OneGpu())


def test_without_any_limits_there_is_a_warning(in_memory, caplog):
    step = PythonTask(function=alone, limits=["gpu"])
    step.as_pipeline().execute(services=in_memory)
    assert "steps take 'gpu', and nothing says how much of it there is" in caplog.text


@pytest.mark.parametrize(
    ("limits", "problem"),
    [
        ({"gpu": 0}, "the limit 'gpu' is a number from 1 to"),
        ({"gpu": True}, "the limit 'gpu' is a number from 1 to"),
        ({"gpu": 10**5000}, "the limit 'gpu' is a number from 1 to 1,000,000"),
        ({"": 1}, "the name of a limit is text: ''"),
        (["gpu"], "limits are numbers by name"),
    ],
)
def test_limits_that_are_none(limits, problem):
    with pytest.raises(ValueError, match=problem):
        Runs(limits=limits)


@pytest.mark.parametrize("folder", ["", "x"])
def test_a_folder_without_limits_or_a_path(folder):
    limits = {} if folder else {"gpu": 1}
    with pytest.raises(ValueError, match="it is a path, for limits by name"):
        Runs(limits=limits, limits_folder=folder)


def test_wrong_settings_of_a_task():
    for wrong in (["gpu", "gpu"], {"gpu": 0}, {"gpu": "x"}, 3, [3], [["gpu"]], ""):
        with pytest.raises(Exception, match="limits"):
            PythonTask(function=alone, limits=wrong)


def test_all_ways_to_say_it(tmp_path):
    file = tmp_path / "pipeline.yaml"
    file.write_text(
        "dag:\n  start_at: s\n  steps:\n    s:\n      type: task\n"
        "      command_type: shell\n      command: 'true'\n      next: success\n"
        "      limits: {gpu: 2}\n"
    )

    @task(limits=["gpu", "api"])
    def decorated():
        pass

    nodes = [
        load_pipeline(str(file)).return_dag().nodes["s"],
        Pipeline(steps=[decorated]).return_dag().nodes["decorated"],
        PythonTask(function=alone, limits="gpu")
        .as_pipeline()
        .return_dag()
        .nodes["alone"],
    ]
    assert [it.limits() for it in nodes] == [
        {"gpu": 2},
        {"gpu": 1, "api": 1},
        {"gpu": 1},
    ]
    assert nodes[0].describe()["limits"] == {"gpu": 2}


def test_a_job_takes_slots(in_memory):
    job = PythonJob(function=alone, limits=["gpx"])
    with pytest.raises(ConfigurationError, match="step 'job' takes 1 of 'gpx'"):
        job.execute(services=in_memory, container=OneGpu())
    job = PythonJob(function=alone, limits=["gpu"])
    assert job.execute(services=in_memory, container=OneGpu()).status == "SUCCESS"


PROGRAM = """
from runnable import PythonTask
import time
from pathlib import Path

def alone():
    Path("active").touch(exist_ok=False)
    time.sleep(0.3)
    Path("active").unlink()

def main():
    pipeline = PythonTask(function=alone, limits=["gpu"]).as_pipeline()
    pipeline.execute()
    return pipeline

if __name__ == "__main__":
    main()
"""


def test_programs_share_the_limits_of_their_configuration(tmp_path):
    (tmp_path / "program.py").write_text(PROGRAM)
    (tmp_path / "runnable-config.yaml").write_text(
        "limits: {gpu: 1}\nlimits-folder: limits\n"
    )
    started = [
        subprocess.Popen(
            [sys.executable, "program.py"],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for _ in range(3)
    ]
    said = [it.communicate(timeout=120)[0] for it in started]
    assert [it.returncode for it in started] == [0, 0, 0], said


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("limits: {gpu: none}", r"config.yaml:1:\d+: limits: the limit 'gpu' is a num"),
        ("limits: [gpu]", "limits are numbers by name"),
        ("limits-folder: x", "there are no limits to share"),
        ("limits: {gpu: 1}\nlimits_folder: 3", "the path of a folder is text: 3"),
    ],
)
def test_a_configuration_that_is_wrong(text, problem, tmp_path, in_memory):
    file = tmp_path / "config.yaml"
    file.write_text(text)
    pipeline = PythonTask(function=alone).as_pipeline()
    with pytest.raises(ConfigurationError, match=problem):
        pipeline.execute(config=file, services=in_memory)


def test_runs_with_the_same_configuration_share_its_limits(tmp_path, in_memory):
    file = tmp_path / "config.yaml"
    file.write_text("limits: {gpu: 1}")
    pipeline = PythonTask(function=alone, limits="gpu").as_pipeline()
    run = partial(pipeline.execute, config=file, services=in_memory)
    assert errors_of(*[run] * 4) == []


def test_a_nested_run_within_a_nested_run_shares_as_well(in_memory):
    app = OneGpu()
    third = PythonTask(function=alone, limits=["gpu"]).as_pipeline()

    def inmost():
        third.execute(services=in_memory, container=app)

    second = PythonTask(function=inmost).as_pipeline()

    def outer():
        second.execute(services=in_memory, container=app)

    first = PythonTask(function=outer, limits=["gpu"]).as_pipeline()
    run = partial(first.execute, services=in_memory, container=app)
    assert errors_of(run, run) == []


def test_a_nested_task_goes_ahead_of_one_that_has_no_place_yet(in_memory):
    """The other one waits for the place of the step around the nested task."""
    app, begun = OneTaskAndGpu(), threading.Event()
    inner = PythonTask(function=alone, limits=["gpu"]).as_pipeline()

    def outer():
        begun.set()
        (limiter,) = app.runs().step_limits.limiters()
        while not limiter._waiting:  # nothing else tells that somebody waits
            time.sleep(0.01)
        inner.execute(services=in_memory, container=app)

    def later():
        assert begun.wait(60)
        step = PythonTask(function=alone, limits=["gpu"])
        step.as_pipeline().execute(services=in_memory, container=app)

    first = PythonTask(function=outer).as_pipeline()
    run = partial(first.execute, services=in_memory, container=app)
    assert errors_of(run, later) == []


def nest(x=0):
    """Run a pipeline in the container of the run around it."""
    step = PythonTask(function=alone, limits=["gpu"]).as_pipeline()
    in_memory = {"run_log_store": {"type": "memory"}, "catalog": {"type": "do-nothing"}}
    return step.execute(services=in_memory, container=find_run().container).status


def test_a_nested_run_in_a_worker_process_has_what_its_step_names(
    in_memory, importable
):
    """Its process cannot ask for more."""

    def run(limits):
        step = PythonTask(function=nest, returns=["status"], limits=limits)
        return map_of(step, parallelism="process").execute(
            parameters=ITEMS, services=in_memory, container=OneGpu()
        )

    with pytest.raises(ExecutionFailedError, match="failed") as caught:
        run([])
    messages = [it.message for it in caught.value.run_log.all_steps()]
    assert any("name there all that the pipeline takes" in it for it in messages)
    assert run(["gpu"]).outputs["status"] == ["SUCCESS"] * 6


def test_a_nested_run_has_the_limits_of_its_own_configuration(in_memory, tmp_path):
    file = tmp_path / "limits.yaml"
    file.write_text("limits: {gpu: 1}")
    inner = PythonTask(function=alone, limits=["gpu"]).as_pipeline()

    def outer(x):
        return inner.execute(config=file, services=in_memory).status

    step = PythonTask(function=outer, returns=["status"])
    run_log = map_of(step).execute(parameters=ITEMS, services=in_memory)
    assert run_log.outputs["status"] == ["SUCCESS"] * 6


def test_all_slots_of_a_folder_are_asked_for_at_once(tmp_path, in_memory):
    """Half of them is in the container, half in the configuration; and the other way."""
    folder = tmp_path / "limits"
    file = tmp_path / "limits.yaml"
    file.write_text(f"limits: {{gpu: 1, api: 1}}\nlimits-folder: {folder}\n")
    step = PythonTask(function=alone, limits=["gpu", "api"]).as_pipeline()

    def loop(name):
        class App(RunContainer):
            runs = providers.ThreadSafeSingleton(
                Runs, limits={name: 1}, limits_folder=folder
            )

        app = App()
        for _ in range(10):
            step.execute(config=file, services=in_memory, container=app)

    assert errors_of(partial(loop, "gpu"), partial(loop, "api")) == []


def test_a_job_that_is_launched_takes_its_slots_once(tmp_path, monkeypatch):
    """Its process, which has the same configuration, asks for none."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "job.py").write_text(JOB)
    (tmp_path / "runnable-config.yaml").write_text(
        "limits: {gpu: 1}\nlimits-folder: limits\njob-executor: {type: emulator}\n"
    )
    done = subprocess.run(
        [sys.executable, "job.py"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "SUCCESS" in done.stdout


JOB = """
from runnable import PythonJob

def work():
    pass

def main():
    return PythonJob(function=work, limits=["gpu"]).execute()

if __name__ == "__main__":
    print(main().status)
"""
