"""The tree of scopes and steps: how a step ended, and what an iteration starts with."""

from runnable.journal import BranchStarted, JsonParameter, StepStarted, StoredObject
from runnable.journal.scope_tree import ScopeState, StepState
from runnable.journal.traversal import Outcome


def step(kind):
    return StepState("l", StepStarted("", "l", "l", kind, 0))


def values(**given):
    return {name: JsonParameter(value=value) for name, value in given.items()}


def test_an_iteration_starts_with_parameters_of_the_one_before():
    loop = step("loop")
    record = BranchStarted("", "l.1", {"i": 1})
    assert loop.carried_to(record) == {}
    loop.branches["l.0"] = ScopeState("l.0", {"i": 0}, {}, values(i=0, x=5))
    assert loop.carried_to(record) == values(x=5)


def test_branches_of_other_steps_start_with_nothing():
    mapped = step("map")
    mapped.branches["l.0"] = ScopeState("l.0", {}, {}, values(x=5))
    assert mapped.carried_to(BranchStarted("", "l.1", {})) == {}
    assert not mapped.is_loop


def test_a_step_has_failed_unless_it_succeeded():
    ended = step("task")
    assert ended.outcome is Outcome.FAILED
    ended.status = "SUCCESS"
    assert ended.outcome is Outcome.SUCCEEDED


def test_objects_without_a_hash_are_in_memory_only():
    made = step("task")
    made.outputs = {
        "here": StoredObject(value="here", key="s/here"),
        "kept": StoredObject(value="kept", key="s/kept", sha256="0" * 64),
        "plain": JsonParameter(value=1),
    }
    assert list(made.in_memory()) == ["here"]


def test_variables_of_a_branch_are_parameters():
    assert ScopeState("m.0", {"x": [1]}).given() == values(x=[1])
