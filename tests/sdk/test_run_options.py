"""The arguments of `execute`: the same for pipelines and jobs, defined once."""

import inspect
from pathlib import Path

import pytest

from runnable import AsyncPipeline, Config, Pipeline, PythonJob, PythonTask

SERVICES = {"run_log_store": {"type": "memory"}, "catalog": {"type": "do-nothing"}}


def add(x: int = 0) -> int:
    return x + 1


PIPELINE = PythonTask(function=add, returns=["y"]).as_pipeline()
JOB = PythonJob(function=add, returns=["y"])


@pytest.mark.parametrize("runs", [PIPELINE, JOB], ids=["pipeline", "job"])
async def test_pipelines_and_jobs_take_the_same_arguments(runs):
    names = [
        sorted(
            name
            for name in inspect.signature(method).parameters
            if name not in {"self", "lifecycle"}
        )
        for method in (runs.execute, runs.execute_async, Pipeline.execute_streaming)
    ]
    assert names[0] == names[1] == names[2]
    assert {"parameters", "services", "config", "run_id", "tag", "resume"} <= {
        *names[0]
    }
    options = {"parameters": {"x": 1}, "services": SERVICES, "tag": "t"}
    assert runs.execute(run_id="r1", **options).run_id == "r1"
    run_log = await runs.execute_async(run_id="r2", **options)
    assert (run_log.run_id, run_log.tag, run_log["y"]) == ("r2", "t", 2)


async def test_streams_take_them_as_well():
    pipeline = AsyncPipeline(steps=PIPELINE.steps)
    events = pipeline.execute_streaming(
        lifecycle=True, run_id="r3", services=SERVICES, parameters={"x": 1}
    )
    found = [event async for event in events]
    assert {event["run_id"] for event in found} == {"r3"}


def test_a_config_groups_files_and_the_log_level():
    Path("p.yaml").write_text("x: 41\n")
    Path("c.yaml").write_text(
        "run-log-store: {type: memory}\ncatalog: {type: do-nothing}\n"
    )
    for config in (Config(Path("c.yaml"), parameters_file="p.yaml"), "c.yaml"):
        run_log = PIPELINE.execute(config=config)
        assert run_log["y"] == (42 if isinstance(config, Config) else 1)
        assert run_log.run_config["run_log_store"]["service_name"] == "buffered"
    with pytest.raises(TypeError, match="got 'configuration_file' twice"):
        PIPELINE.execute(config="c.yaml", configuration_file="d.yaml")


def test_arguments_by_position_work_with_a_warning():
    Path("c.yaml").write_text("catalog: {type: do-nothing}\n")
    with pytest.warns(DeprecationWarning, match="configuration_file='c.yaml', run_id="):
        run_log = PIPELINE.execute("c.yaml", "r1", services=SERVICES)
    assert run_log.run_id == "r1"
    with pytest.warns(DeprecationWarning, match="by name") as caught:
        assert JOB.execute("", "j1", services=SERVICES).run_id == "j1"
    assert caught[0].filename == __file__
    with pytest.raises(TypeError, match="takes 5 arguments by position, and got 6"):
        PIPELINE.execute("", "", "", "", "", "x")


def test_an_unknown_argument_is_refused_with_a_hint():
    with pytest.raises(TypeError, match=r"no argument 'parameter'\. Did you mean 'par"):
        PIPELINE.execute(parameter={"x": 1})
    with pytest.raises(TypeError, match="got 'run_id' twice"):
        JOB.execute(run_id="a", job_id="b")
