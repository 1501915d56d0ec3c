"""Spans and metrics, with the SDK in memory."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.util._once import Once

from runnable import (
    AsyncPythonTask,
    ExecutionFailedError,
    Map,
    Pipeline,
    PythonTask,
)

IN_MEMORY = {"run_log_store": {"type": "memory"}, "catalog": {"type": "do-nothing"}}


@pytest.fixture
def spans():
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    before = trace._TRACER_PROVIDER
    trace._TRACER_PROVIDER_SET_ONCE = Once()
    trace.set_tracer_provider(provider)
    yield exporter
    trace._TRACER_PROVIDER = before
    trace._TRACER_PROVIDER_SET_ONCE = Once()


@pytest.fixture
def measured():
    reader = InMemoryMetricReader()
    internal = metrics._internal
    before = internal._METER_PROVIDER
    internal._METER_PROVIDER_SET_ONCE = Once()
    metrics.set_meter_provider(MeterProvider([reader]))
    yield reader
    internal._METER_PROVIDER = before
    internal._METER_PROVIDER_SET_ONCE = Once()


def tree(exporter, root=None):
    """Say which span stands in which, by name."""
    finished = exporter.get_finished_spans()
    inner = [
        it for it in finished if (it.parent.span_id if it.parent else None) == root
    ]
    inner.sort(key=lambda it: (it.start_time, it.name))
    return [(it.name, tree(exporter, it.context.span_id)) for it in inner]


def load():
    return [1, 2]


def double(x):
    return 2 * x


def test_spans_of_a_run_its_steps_and_attempts(spans):
    tries = []

    def flaky():
        tries.append(1)
        if len(tries) == 1:
            raise ValueError("at first")

    branch = PythonTask(name="s", function=double, returns=["y"]).as_pipeline()
    pipeline = Pipeline(
        steps=[
            PythonTask(name="load", function=load, returns=["xs"]),
            PythonTask(name="flaky", function=flaky, retries=1),
            Map(name="m", branch=branch, iterate_on="xs", iterate_as="x"),
        ],
        name="p",
    )
    sequence = {"pipeline_executor": {"type": "local", "parallelism": "none"}}
    pipeline.execute(run_id="r1", services={**IN_MEMORY, **sequence})
    leaf = ("task:tests.test_telemetry.double", [("attempt 1", [])])
    ends = [("step:m.1.success", [("attempt 1", [])])]
    ((name, steps),) = tree(spans)
    assert name == "pipeline:p"
    names = [name for name, _ in steps]
    assert names[0].endswith("load")
    assert "flaky" in names[1]
    assert names[2:] == ["step:m", "step:success"]
    assert [name for name, _ in steps[1][1]] == ["attempt 1", "attempt 2"]
    inner = [name for name, _ in steps[2][1]]
    assert len([it for it in inner if it.endswith("double")]) == 2
    assert leaf[1] == ends[0][1] == steps[2][1][0][1]
    by_name = {it.name: it for it in spans.get_finished_spans()}
    assert by_name["pipeline:p"].attributes["runnable.run_id"] == "r1"
    assert by_name["pipeline:p"].status.is_ok
    failed = [it for it in spans.get_finished_spans() if it.status.description]
    assert [it.status.description for it in failed] == ["ValueError: at first"]


def test_the_spans_of_requests_and_of_tasks(spans):
    tracer = trace.get_tracer("app")

    def work(number):
        with tracer.start_as_current_span(f"mine {number}"):
            pass

    def request(number):
        with tracer.start_as_current_span(f"request {number}"):
            pipeline = PythonTask(name="s", function=work).as_pipeline()
            pipeline.execute(parameters={"number": number}, services=IN_MEMORY)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(request, range(8)))
    roots = dict(tree(spans))
    assert set(roots) == {f"request {number}" for number in range(8)}
    for number in range(8):
        ((name, steps),) = roots[f"request {number}"]
        assert name == "pipeline:s"
        assert steps[0][1] == [("attempt 1", [(f"mine {number}", [])])]


async def test_asynchronous_runs(spans):
    import asyncio

    tracer = trace.get_tracer("app")

    async def work(number):
        await asyncio.sleep(0)
        with tracer.start_as_current_span(f"mine {number}"):
            await asyncio.sleep(0)

    async def request(number):
        with tracer.start_as_current_span(f"request {number}"):
            pipeline = AsyncPythonTask(name="s", function=work).as_pipeline()
            await pipeline.execute_async(
                parameters={"number": number}, services=IN_MEMORY
            )

    await asyncio.gather(*[request(number) for number in range(8)])
    roots = dict(tree(spans))
    for number in range(8):
        ((_, steps),) = roots[f"request {number}"]
        assert steps[0][1] == [("attempt 1", [(f"mine {number}", [])])]


def test_a_failed_run(spans, measured):
    pipeline = PythonTask(name="s", function=lambda: 1 / 0).as_pipeline()
    with pytest.raises(ExecutionFailedError):
        pipeline.execute(services=IN_MEMORY)
    by_name = {it.name: it for it in spans.get_finished_spans()}
    assert not by_name["pipeline:s"].status.is_ok
    said = {it.status.description for it in spans.get_finished_spans()}
    assert "ZeroDivisionError: division by zero" in said
    data = measured.get_metrics_data().resource_metrics[0].scope_metrics[0].metrics
    found = {it.name: it.data.data_points for it in data}
    (point,) = found["runnable.runs"]
    assert (point.value, point.attributes["runnable.status"]) == (1, "FAIL")
    assert found["runnable.run.duration"][0].count == 1
    assert sum(it.count for it in found["runnable.attempt.duration"]) == 2


def test_spans_on_the_stream_queue(spans):
    import queue

    import runnable

    assert runnable.OTEL_AVAILABLE
    processor = runnable.StreamingSpanProcessor(SimpleSpanProcessor(spans))
    trace.get_tracer_provider().add_span_processor(processor)
    events = queue.Queue()
    runnable.set_stream_queue(events)
    PythonTask(name="s", function=load).as_pipeline().execute(services=IN_MEMORY)
    told = [it for it in events.queue if it["type"].startswith("span")]
    begun = [it["name"] for it in told if it["type"] == "span_start"]
    assert begun[0] == "pipeline:s"
    ended = {it["span_id"]: it for it in told if it["type"] == "span_end"}
    assert len(ended) == len(begun) == 5
    (run,) = [it for it in ended.values() if it["name"] == "pipeline:s"]
    assert run["status"] == "OK"
    assert run["duration_ms"] > 0
    assert run["attributes"]["runnable.status"] == '"SUCCESS"'


def test_a_malformed_trace_parent_is_ignored(spans, monkeypatch):
    zeros = f"00-{'0' * 32}-{'0' * 16}-01"
    for text in (zeros, "garbage-00"):
        monkeypatch.setenv("RUNNABLE_TRACEPARENT", text)
        with trace.get_tracer("service").start_as_current_span("request"):
            PythonTask(name="s", function=lambda: 1).as_pipeline().execute(
                services=IN_MEMORY
            )
    assert [name for name, _ in tree(spans)] == ["request", "request"]
    assert all(inner for _, inner in tree(spans))


def test_runs_share_their_meters(spans):
    provider = metrics.get_meter_provider()
    pipeline = PythonTask(name="s", function=lambda: 1).as_pipeline()
    pipeline.execute(services=IN_MEMORY)
    meters = len(provider._meters)
    for _ in range(3):
        pipeline.execute(services=IN_MEMORY)
    assert len(provider._meters) == meters


def test_without_an_sdk_nothing_is_imported():
    code = (
        "import sys\n"
        "from runnable import Stub\n"
        "Stub(name='s').as_pipeline().execute()\n"
        "print([it for it in sys.modules if it.startswith('opentelemetry')])\n"
    )
    finished = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert finished.stdout == "[]\n"


def test_the_trace_continues_in_another_process(tmp_path):
    Path("script.py").write_text(
        "import os\n"
        "from opentelemetry import trace\n"
        "from opentelemetry.sdk.trace import TracerProvider\n"
        "from opentelemetry.sdk.trace.export import SimpleSpanProcessor\n"
        "from runnable import PythonTask\n"
        "class Written:\n"
        "    def export(self, spans):\n"
        "        for it in spans:\n"
        "            outer = it.parent.span_id if it.parent else 0\n"
        "            with open('spans.txt', 'a') as file:\n"
        "                print(it.context.span_id, outer, file=file)\n"
        "    def shutdown(self): pass\n"
        "trace.set_tracer_provider(TracerProvider())\n"
        "provider = trace.get_tracer_provider()\n"
        "provider.add_span_processor(SimpleSpanProcessor(Written()))\n"
        "def work():\n"
        "    span = trace.get_current_span().get_span_context()\n"
        "    return format(span.trace_id, 'x'), os.getpid()\n"
        "if __name__ == '__main__':\n"
        "    with trace.get_tracer('app').start_as_current_span('request') as span:\n"
        "        mine = format(span.get_span_context().trace_id, 'x')\n"
        "        step = PythonTask(name='s', function=work, returns=['t', 'pid'])\n"
        "        log = step.as_pipeline().execute(\n"
        "            services={'pipeline_executor': {'type': 'emulator'}})\n"
        "    values = {k: it.value for k, it in log.parameters.items()}\n"
        "    print(values['t'] == mine, values['pid'] != os.getpid())\n"
    )
    finished = subprocess.run(
        [sys.executable, "script.py"], capture_output=True, text=True, check=False
    )
    assert finished.stdout == "True True\n", finished.stderr
    lines = [line.split() for line in Path("spans.txt").read_text().splitlines()]
    assert {outer for _, outer in lines} <= {"0", *(own for own, _ in lines)}


def test_a_provider_of_another_package_may_be_named_as_it_likes(in_memory):
    """Logfire's is a ProxyTracerProvider of its own."""
    script = (
        "from opentelemetry import trace\n"
        "from opentelemetry.sdk.trace import TracerProvider\n"
        "from opentelemetry.sdk.trace.export import SimpleSpanProcessor\n"
        "from opentelemetry.sdk.trace.export.in_memory_span_exporter import "
        "InMemorySpanExporter\n"
        "from runnable import *\n"
        "class ProxyTracerProvider(trace.TracerProvider):\n"
        "    def __init__(self, inner): self.inner = inner\n"
        "    def get_tracer(self, *args, **more):\n"
        "        return self.inner.get_tracer(*args, **more)\n"
        "exporter = InMemorySpanExporter()\n"
        "inner = TracerProvider()\n"
        "inner.add_span_processor(SimpleSpanProcessor(exporter))\n"
        "trace.set_tracer_provider(ProxyTracerProvider(inner))\n"
        "services = {'run_log_store': {'type': 'memory'},\n"
        "            'catalog': {'type': 'do-nothing'}}\n"
        "task = PythonTask(name='t', function=lambda: 1)\n"
        "task.as_pipeline().execute(services=services)\n"
        "print(len(exporter.get_finished_spans()))\n"
    )
    finished = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    )
    assert int(finished.stdout) >= 2
