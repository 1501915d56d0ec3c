"""Events of a run, while it goes on; and what generators return."""

import asyncio
import json
import threading

import pytest

from runnable import (
    AsyncPipeline,
    AsyncPythonTask,
    ExecutionFailedError,
    Map,
    Pipeline,
    PythonTask,
    Stub,
)
from runnable.context import get_run_context
from runnable.datastore.memory import MemoryRunLogStore
from runnable.exceptions import ParameterMissingError, StreamEndError
from tests.support.used import used_by


async def words(prompt: str):
    for word in prompt.split():
        await asyncio.sleep(0)
        yield {"type": "word", "word": word}
    yield "of no interest"
    yield {"type": "done", "count": len(prompt.split()), "text": prompt.upper()}


def words_of_a_thread(prompt: str):
    for word in prompt.split():
        yield {"type": "word", "word": word}
    yield {"type": "done", "count": len(prompt.split()), "text": prompt.upper()}


def streaming(function, *returns, cls=AsyncPythonTask, **more):
    return cls(
        name="s", function=function, returns=list(returns), **more
    ).as_async_pipeline()


async def collected(pipeline, in_memory, **more):
    return [
        event async for event in pipeline.execute_streaming(services=in_memory, **more)
    ]


@pytest.mark.parametrize("function", [words, words_of_a_thread])
@pytest.mark.parametrize("cls", [AsyncPythonTask, PythonTask])
async def test_events_come_as_they_happen(function, cls, in_memory):
    store = MemoryRunLogStore()
    pipeline = streaming(function, "text", "count", cls=cls)
    events = await collected(
        pipeline,
        {**in_memory, "run_log_store": store},
        parameters={"prompt": "to be"},
        run_id="r1",
    )
    assert events == [
        {"type": "word", "word": "to"},
        {"type": "word", "word": "be"},
        {"type": "done", "count": 2, "text": "TO BE"},
    ]
    # By name, whatever their order in the event.
    parameters = store.get_run_log_by_id("r1").parameters
    assert (parameters["text"].value, parameters["count"].value) == ("TO BE", 2)


@pytest.mark.parametrize("way", ["execute", "execute_async"])
async def test_generators_return_without_anybody_listening(way, in_memory):
    pipeline = streaming(words, "count", "text")
    running = getattr(pipeline, way)(parameters={"prompt": "a b"}, services=in_memory)
    run_log = await running if way == "execute_async" else running
    assert run_log.parameters["count"].value == 2


async def test_the_last_event_of_an_end_type_of_its_own(in_memory):
    async def twice():
        yield {"type": "done", "n": 1}
        yield {"type": "end", "n": 2}
        yield {"type": "end", "n": 3}

    pipeline = streaming(twice, "n", stream_end_type="end")
    run_log = await pipeline.execute_async(services=in_memory)
    assert run_log.parameters["n"].value == 3
    task = run_log.run_config["dag"]["nodes"]["s"]
    assert (task["command_type"], task["stream_end_type"]) == ("async-python", "end")


async def test_one_value_needs_no_name(in_memory):
    async def one():
        yield {"type": "done", "anything": 5}

    run_log = await streaming(one, "n").execute_async(services=in_memory)
    assert run_log.parameters["n"].value == 5


async def nothing_at_all():
    return
    yield


async def no_end():
    yield {"type": "word"}


async def another_end():
    yield {"type": "done", "m": 1, "k": 2}


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (nothing_at_all, "yielded no event of type 'done'"),
        (no_end, "yielded no event of type 'done'"),
        (another_end, "yielded an event of type 'done' that has 'k', 'm'"),
    ],
)
async def test_an_end_without_all_returns_fails_the_step(function, text, in_memory):
    with pytest.raises(ExecutionFailedError, match=text) as caught:
        await streaming(function, "n").execute_async(services=in_memory)
    assert isinstance(caught.value.__cause__, StreamEndError)


async def test_events_before_an_error_are_delivered(in_memory):
    async def breaks():
        yield {"type": "word", "word": "a"}
        raise LookupError("torn")

    events = []
    with pytest.raises(ExecutionFailedError) as caught:
        async for event in streaming(breaks).execute_streaming(services=in_memory):
            events.append(event)
    assert events == [{"type": "word", "word": "a"}]
    assert isinstance(caught.value.__cause__, LookupError)


async def test_errors_before_the_run_are_raised(in_memory):
    with pytest.raises(ParameterMissingError):
        await collected(streaming(words), in_memory)


async def test_a_consumer_that_leaves_ends_the_run(in_memory):
    """At whatever event it leaves, as a client that disconnects does."""
    ended = threading.Event()

    async def endless():
        try:
            while True:
                await asyncio.sleep(0)
                yield {"type": "tick"}
        finally:
            ended.set()

    for leave_after in (1, 5):
        ended.clear()
        store = MemoryRunLogStore()
        stream = streaming(endless).execute_streaming(
            services={**in_memory, "run_log_store": store}, run_id="r1"
        )
        for _ in range(leave_after):
            await anext(stream)
        await stream.aclose()
        assert ended.is_set()
        run_log = store.get_run_log_by_id("r1")
        assert run_log.status == "CANCELLED"
        assert run_log.steps["s"].status == "CANCELLED"


async def test_a_cancelled_consumer_ends_the_run(in_memory):
    begun = asyncio.Event()
    store = MemoryRunLogStore()

    async def silent():
        begun.set()
        await asyncio.sleep(3600)
        yield {"type": "never"}

    consumer = asyncio.create_task(
        collected(streaming(silent), {**in_memory, "run_log_store": store}, run_id="r1")
    )
    await begun.wait()
    consumer.cancel()
    with pytest.raises(asyncio.CancelledError):
        await consumer
    assert store.get_run_log_by_id("r1").status == "CANCELLED"


async def test_the_consumer_is_outside_the_run(in_memory):
    def inside():
        yield {"type": "id", "id": get_run_context().run_id}

    stream = streaming(inside).execute_streaming(services=in_memory, run_id="r1")
    async for event in stream:
        assert event["id"] == "r1"
        assert get_run_context() is None


async def test_branches_stream_as_well(in_memory):
    def numbers(x):
        yield {"type": "number", "x": x}

    branch = streaming(numbers)
    for parallelism in ("none", "thread", "process"):
        step = Map(
            name="m",
            branch=branch,
            iterate_on="xs",
            iterate_as="x",
            parallelism=parallelism,
        )
        pipeline = AsyncPipeline(steps=[step])
        events = await collected(pipeline, in_memory, parameters={"xs": [1, 2, 3]})
        assert sorted(event["x"] for event in events) == [1, 2, 3]


async def test_lifecycle_events_are_optional(in_memory):
    pipeline = Pipeline(steps=[Stub(name="a")])
    events = await collected(pipeline, in_memory, lifecycle=True, run_id="r1")
    assert [event["type"] for event in events] == [
        "run_started",
        "step_started",
        "step_finished",
        "step_started",
        "step_finished",
        "run_finished",
    ]
    assert events[0]["run_id"] == "r1"
    assert (events[2]["path"], events[2]["status"]) == ("a", "SUCCESS")
    assert json.loads(json.dumps(events)) == events


async def test_many_streams_at_once_are_not_mixed_up(in_memory):
    async def mine(number: int):
        for _ in range(5):
            await asyncio.sleep(0)
            yield {"type": "mine", "number": number}

    async def consume(number):
        events = await collected(
            streaming(mine), in_memory, parameters={"number": number}
        )
        return {event["number"] for event in events}, len(events)

    seen = await asyncio.gather(*(consume(number) for number in range(100)))
    assert seen == [({number}, 5) for number in range(100)]


def test_the_names_for_authors(in_memory):
    task = AsyncPythonTask(name="s", function=words)
    assert isinstance(task.as_async_pipeline(), AsyncPipeline)
    assert isinstance(task.as_pipeline(), Pipeline)
    assert isinstance(Stub(name="a").as_async_pipeline(), AsyncPipeline)
    assert AsyncPipeline(steps=[Stub(name="a")]).execute(services=in_memory)


@pytest.mark.parametrize("kind", ["async", "thread", "process"])
async def test_a_slow_consumer_holds_the_generator_up(kind, in_memory):
    def produced_before_it_was_wanted(event):
        return event["number"] - taken

    async def slowly():
        for number in range(20_000):
            yield {"type": "n", "number": number}

    def in_thread(x=0):
        for number in range(20_000):
            yield {"type": "n", "number": number}

    taken = 0
    if kind == "process":
        step = Map(
            name="m",
            branch=streaming(in_thread),
            iterate_on="xs",
            iterate_as="x",
            parallelism="process",
        )
        # Two, since one branch alone needs no process.
        pipeline = Pipeline(steps=[step])
    else:
        pipeline = streaming(slowly if kind == "async" else in_thread)
    store = MemoryRunLogStore()
    stream = pipeline.execute_streaming(
        services={**in_memory, "run_log_store": store},
        parameters=used_by(pipeline, {"xs": [1, 2]}),
        run_id="r1",
    )
    for _ in range(10):
        await anext(stream)
    await asyncio.sleep(0.3)
    assert store.get_run_log_by_id("r1").status == "PROCESSING"
    await stream.aclose()
    assert store.get_run_log_by_id("r1").status == "CANCELLED"


async def test_a_consumer_gets_everything_also_if_it_is_slow(in_memory):
    async def many():
        for number in range(5000):
            yield {"type": "n", "number": number}

    events = await collected(streaming(many), in_memory)
    assert [event["number"] for event in events] == list(range(5000))


@pytest.mark.parametrize("way", ["execute", "execute_async"])
@pytest.mark.parametrize("function", [words, words_of_a_thread])
async def test_decorated_generators_are_generators(way, function, in_memory):
    import functools

    @functools.wraps(function)
    def decorated(prompt):
        return function(prompt)

    running = getattr(streaming(decorated, "text"), way)(
        parameters={"prompt": "a"}, services=in_memory
    )
    run_log = await running if way == "execute_async" else running
    assert run_log.parameters["text"].value == "A"
