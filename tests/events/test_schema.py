"""Events as JSON: every one that a run tells is as the schema says."""

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor

import jsonschema
import pytest

from runnable import AsyncPythonTask, Map, Parallel, Pipeline, PythonTask
from runnable.context import propagate
from runnable.events import listening
from runnable.events.schema import VERSION, described, event_schema

IN_MEMORY = {"run_log_store": {"type": "memory"}, "catalog": {"type": "do-nothing"}}


async def say():
    yield {"type": "word", "word": "hello"}


def pipeline():
    def both(name):
        return PythonTask(name="s", function=lambda: name, returns=["x"]).as_pipeline()

    branch = PythonTask(name="t", function=lambda x: x, returns=["y"]).as_pipeline()
    steps = [
        AsyncPythonTask(name="say", function=say),
        Parallel(name="p", branches={"a": both("a"), "b": both("b")}),
        Map(name="m", branch=branch, iterate_on="xs", iterate_as="x"),
    ]
    return Pipeline(steps=steps)


def test_every_event_is_as_the_schema_says():
    async def collect():
        events = pipeline().execute_streaming(
            parameters={"xs": [1, {"k": None}]}, services=IN_MEMORY, lifecycle=True
        )
        return [event async for event in events]

    events = json.loads(json.dumps(asyncio.run(collect())))
    schema = event_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    own = [event for event in events if event["type"] != "word"]
    for event in own:
        validator.validate(event)
        assert event["version"] == VERSION
    assert {event["type"] for event in own} == {
        *("run_started", "step_started", "step_finished", "branch_started"),
        *("branch_finished", "warning", "run_finished"),
    }
    assert {"type": "word", "word": "hello"} in events
    with pytest.raises(jsonschema.ValidationError):
        validator.validate({**own[0], "version": 2})


def test_events_say_whose_they_are():
    told = []
    pipeline = PythonTask(name="s", function=lambda: 1).as_pipeline()
    given = {"services": {"run_log_store": {"type": "memory"}}}
    names = [f"r{number}" for number in range(4)]
    hears = listening(lambda event: told.append(described(event)))
    with hears, ThreadPoolExecutor(2) as pool:
        for name in names:
            pool.submit(propagate(pipeline.execute), run_id=name, **given)
    for name in names:
        mine = [it["type"] for it in told if it["run_id"] == name]
        assert (mine[0], mine[-1]) == ("run_started", "run_finished")
