"""Attempts share nothing."""

from runnable.engine.steps.attempt import Attempt
from runnable.engine.steps.output_log import OutputLog
from runnable.secrets import Masker


def attempt(number):
    return Attempt("a", number, OutputLog("a", Masker()))


def test_results_of_one_attempt_are_not_those_of_the_next():
    first, second = attempt(1), attempt(2)
    first.read.append("x")
    first.replaced.append("f.txt")
    first.outputs["x"] = None
    assert (second.read, second.replaced, second.outputs) == ([], [], {})


def test_an_attempt_has_failed_until_it_is_known_to_have_succeeded():
    assert attempt(1).status == "FAIL"
