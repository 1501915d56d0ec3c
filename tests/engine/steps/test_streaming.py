"""Items of a generator: reported as events; the last one has the results."""

import pytest

from runnable.engine.runtimes.awaiting import make
from runnable.engine.steps.streaming import Yielded
from runnable.exceptions import StreamEndError
from runnable.secrets import Masker
from runnable.tasks import Call
from runnable.tasks.python import PythonTaskType


def run(function, returns=(), end_type="done", masker=None):
    """Run a generator; return its result and the events."""
    task = PythonTaskType(
        function=function, returns=list(returns), stream_end_type=end_type
    )
    events = []
    yielded = Yielded("s", masker or Masker(), events.append)
    call = yielded.watch(Call(function, stream_end_type=end_type))
    result = yielded.result(make(call), task)
    return result, [event.event for event in events]


def test_mappings_with_a_type_are_events_and_other_items_are_not():
    def items():
        yield {"type": "progress", "at": 1}
        yield {"no": "type"}
        yield 42

    assert run(items) == (None, [{"type": "progress", "at": 1}])


def test_results_are_taken_from_the_end_by_name():
    def items():
        yield {"type": "done", "y": 2, "x": 1}

    assert run(items, ["x", "y"])[0] == (1, 2)


def test_a_returned_value_wins_over_the_end():
    def items():
        yield {"type": "done", "x": 1}
        return 7

    assert run(items, ["x"])[0] == 7


@pytest.mark.parametrize(
    "end", [None, {"type": "done", "other": 1, "more": 2}, {"type": "finished", "x": 1}]
)
def test_a_stream_that_lacks_its_results_is_refused(end):
    def items():
        if end is not None:
            yield end

    with pytest.raises(StreamEndError, match="x"):
        run(items, ["x"])


def test_secrets_are_masked_in_events_and_not_in_results():
    masker = Masker()
    masker.learn("TOKEN", "s3cr3t-value")

    def items():
        yield {"type": "done", "x": "s3cr3t-value"}

    result, events = run(items, ["x"], masker=masker)
    assert result == ("s3cr3t-value",)
    assert events == [{"type": "done", "x": "***"}]


def test_items_after_the_end_of_an_attempt_are_ignored():
    events = []
    yielded = Yielded("s", Masker(), events.append)
    yielded.begin()
    yielded.close()
    yielded.take({"type": "late"})
    assert events == []
