"""D74 to D82: configuration, mocking, asynchronous pipelines."""

import asyncio
import json
from pathlib import Path

import pytest
from command_line import runnable

from runnable import (
    AsyncPipeline,
    AsyncPythonTask,
    Catalog,
    ExecutionFailedError,
    Loop,
    Map,
    Parallel,
    Pipeline,
    PythonTask,
    Stub,
    list_runs,
)
from runnable.exceptions import ConfigurationError, ServiceNotFoundError

IN_MEMORY = {"run_log_store": {"type": "memory"}, "catalog": {"type": "do-nothing"}}


def one(name, function, *returns, **more):
    return PythonTask(name=name, function=function, returns=list(returns), **more)


def real():
    raise AssertionError("it was run for real")


def test_D74_unknown_keys_are_refused():
    Path("c.yaml").write_text("executor: {type: mocked}\n")
    with pytest.raises(ConfigurationError, match="pipeline-executor"):
        one("s", real).as_pipeline().execute("c.yaml")
    Path("c.yaml").write_text("piepline-executor: {type: mocked}\n")
    with pytest.raises(ConfigurationError, match="Did you mean 'pipeline_executor'"):
        one("s", real).as_pipeline().execute("c.yaml")


def test_D75_a_wrong_option_is_no_missing_service():
    Path("c.yaml").write_text("run-log-store: {type: file-system, log_foldr: x}\n")
    with pytest.raises(ConfigurationError, match="Did you mean 'log_folder'"):
        one("s", real).as_pipeline().execute("c.yaml")
    Path("c.yaml").write_text("catalog: {type: file-sytem}\n")
    with pytest.raises(ServiceNotFoundError, match="Did you mean 'file-system'"):
        one("s", real).as_pipeline().execute("c.yaml")


def test_D76_objects_are_kept_in_s3(s3_url):
    import s3

    options = {"bucket": "runs", "endpoint_url": s3_url, **s3.KEYS}
    pipeline = one(
        "s",
        lambda: Path("out.txt").write_text("kept"),
        catalog=Catalog(put=["out.txt"]),
    ).as_pipeline()
    run_log = pipeline.execute(services={"catalog": {"type": "s3", "config": options}})
    assert run_log.steps["s"].data_catalog[0].name == "out.txt"


def mocked(pipeline, patches=None, **parameters):
    executor = {"type": "mocked", "config": {"patches": patches or {}}}
    return pipeline.execute(
        parameters=parameters, services={**IN_MEMORY, "pipeline_executor": executor}
    )


def stand_in(x: int):
    return 2 * x


def test_D77_mocked_runs_need_no_files_and_keep_what_is_not_patched(monkeypatch):
    pipeline = Pipeline(
        steps=[
            one("files", real, catalog=Catalog(get=["no"], put=["no"])),
            one("patched", real, "y"),
            Stub(name="stub"),
            Map(
                name="m",
                iterate_on="xs",
                iterate_as="x",
                branch=one("inner", real, "z").as_pipeline(),
            ),
        ]
    )
    Path("mock_functions.py").write_text("def stand_in(x: int): return 2 * x\n")
    monkeypatch.syspath_prepend(".")
    named = {"command": "mock_functions.stand_in"}
    patches = {
        "patched": named,
        "inner": stand_in,
        "stub": {**named, "returns": ["w"]},
    }
    run_log = mocked(pipeline, patches, x=21, xs=[1, 2])
    assert run_log.status == "SUCCESS"
    values = {key: it.value for key, it in run_log.parameters.items()}
    assert (values["y"], values["z"], values["w"]) == (42, [2, 4], 42)


def test_D77_wrong_patches():
    pipeline = one("fit", real).as_pipeline()
    with pytest.raises(ConfigurationError, match="Did you mean 'fit'"):
        mocked(pipeline, {"fti": {}})
    with pytest.raises(ConfigurationError, match="comand"):
        mocked(pipeline, {"fit": {"comand": "x"}})


def test_D78_leaving_the_stream_ends_the_run():
    async def five():
        for number in range(5):
            yield {"type": "number", "number": number}
            await asyncio.sleep(0.01)
        Path("reached").touch()

    async def main():
        pipeline = AsyncPythonTask(name="s", function=five).as_async_pipeline()
        events = pipeline.execute_streaming()
        async for _ in events:
            break
        await events.aclose()
        await asyncio.sleep(0.2)

    asyncio.run(main())
    assert not Path("reached").exists()
    (run,) = list_runs()
    assert run.status == "CANCELLED"


async def counted(i):
    return i == 1


def test_D79_asynchronous_loops_and_tasks_in_synchronous_runs():
    loop = Loop(
        name="l",
        branch=AsyncPythonTask(
            name="s", function=counted, returns=["done"]
        ).as_async_pipeline(),
        max_iterations=4,
        break_on="done",
        index_as="i",
    )
    pipeline = AsyncPipeline(steps=[loop])
    run_log = asyncio.run(pipeline.execute_async(services=IN_MEMORY))
    assert len(run_log.steps["l"].branches) == 2
    assert len(pipeline.execute(services=IN_MEMORY).steps["l"].branches) == 2


def streaming(*events):
    async def function():
        for event in events:
            yield event

    return AsyncPythonTask(name="s", function=function, returns=["a", "b"])


def test_D80_stream_ends_are_matched_by_name():
    pipeline = streaming({"type": "done", "b": 2, "a": 1}).as_pipeline()
    parameters = pipeline.execute(services=IN_MEMORY).parameters
    assert (parameters["a"].value, parameters["b"].value) == (1, 2)
    with pytest.raises(ExecutionFailedError, match="done"):
        streaming({"type": "word"}).as_pipeline().execute(services=IN_MEMORY)


def test_D81_asynchronous_branches_overlap():
    meeting: list[asyncio.Event] = []

    async def wait():
        # Nobody goes on before all are here.
        mine = asyncio.Event()
        meeting.append(mine)
        if len(meeting) == 3:
            for event in meeting:
                event.set()
        await asyncio.wait_for(mine.wait(), 30)

    branches = {
        name: AsyncPythonTask(name="s", function=wait).as_async_pipeline()
        for name in "abc"
    }
    pipeline = AsyncPipeline(steps=[Parallel(name="p", branches=branches)])
    run_log = asyncio.run(pipeline.execute_async(services=IN_MEMORY))
    assert run_log.status == "SUCCESS"


def test_D82_any_items_pass_through_the_emulator():
    Path("functions.py").write_text("def same(x): return x\n")
    Path("p.yaml").write_text(
        """
        dag:
          start_at: a map
          steps:
            a map:
              type: map
              iterate_on: xs
              iterate_as: x
              branch:
                start_at: one
                steps:
                  one: {type: task, command: functions.same, next: success,
                        returns: [{name: y}]}
              next: success
        """
    )
    Path("c.yaml").write_text("pipeline-executor: {type: emulator}\n")
    Path("x.yaml").write_text("xs: [\"it's\", 'a \"b\" $c', 'd.e/f g', 1.5]\n")
    finished = runnable("execute", "p.yaml", "-c", "c.yaml", "-p", "x.yaml", "--json")
    assert finished.returncode == 0, finished.stderr
    said = json.loads(finished.stdout)
    assert said["parameters"]["y"] == ["it's", 'a "b" $c', "d.e/f g", 1.5]
