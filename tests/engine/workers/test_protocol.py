"""Messages between a run and its workers: each arrives as it was sent."""

import pickle

import cloudpickle
import pytest

from runnable import Pipeline, Stub
from runnable.datastore import JsonParameter
from runnable.engine.parameter_scope import Failure, ParameterScope
from runnable.engine.workers.protocol import (
    Assignment,
    Chunk,
    Done,
    Emitted,
    Learned,
    Output,
    Packet,
    Refused,
    Written,
)
from runnable.events import TaskEvent
from runnable.journal import RunFinished, RunState, StepStarted

MESSAGES = [
    Written((RunFinished("now", "SUCCESS"),)),
    Emitted(TaskEvent("s", {"type": "progress"})),
    Learned(frozenset({"secret"})),
    Output("stdout", "text \udcff"),
    Refused("it cannot be unpickled"),
    Packet(None, b"assignment"),
    Done(True, {"x": JsonParameter(value=1)}, None, {}),
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda it: type(it).__name__)
def test_a_message_survives_pickling(message):
    assert pickle.loads(pickle.dumps(message)) == message


def test_the_error_of_a_branch_survives_with_its_attributes():
    failure = Failure("m.1.s", FileNotFoundError(2, "no such file", "f.csv"))
    done = pickle.loads(pickle.dumps(Done(False, {}, failure, {})))
    assert done.failure.path == "m.1.s"
    assert done.failure.error.filename == "f.csv"


def test_a_chunk_carries_one_graph_with_functions_defined_here():
    graph = Pipeline(steps=[Stub(name="s")]).return_dag()
    scopes = [ParameterScope(f"m.{x}", {"x": JsonParameter(value=x)}) for x in (1, 2)]
    assignments = [Assignment(graph, scope) for scope in scopes]
    sent = Chunk(assignments, {"k": lambda: 42}, RunState(), frozenset())
    received = pickle.loads(cloudpickle.dumps(sent))
    first, second = received.assignments
    assert first.work.hash == graph.hash
    assert first.work is second.work
    assert [it.scope.find("x").value for it in received.assignments] == [1, 2]
    assert received.objects["k"]() == 42


@pytest.mark.parametrize(
    ("kind", "awaited"), [("task", True), ("map", True), ("success", False)]
)
def test_what_must_be_written_before_anything_runs(kind, awaited):
    finished = RunFinished("now", "SUCCESS")
    started = StepStarted("", "a", "a", kind)
    assert Written((finished, started)).is_awaited is awaited
    assert not Written((started, finished)).is_awaited
