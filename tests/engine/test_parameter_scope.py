"""Scopes of parameters: inner ones read outer ones, and never write to them."""

from runnable.datastore import JsonParameter
from runnable.engine.parameter_scope import Failure, ParameterScope


def parameters(**values):
    return {name: JsonParameter(value=value) for name, value in values.items()}


def nested():
    root = ParameterScope("", parameters(x=1, y=1))
    branch = ParameterScope("m.0", {}, parameters(y=2, item="a"), outer=root)
    inner = ParameterScope("m.0.n.b", parameters(item="b"), outer=branch)
    return root, branch, inner


def test_the_innermost_value_is_found():
    _, branch, inner = nested()
    assert [inner.find(name).value for name in ("x", "y", "item")] == [1, 2, "b"]
    assert branch.find("item").value == "a"
    assert inner.find("unknown") is None


def test_visible_parameters_are_those_that_find_returns():
    for scope in nested():
        visible = scope.visible()
        assert visible == {name: scope.find(name) for name in visible}


def test_a_parameter_shadows_the_variable_of_its_branch():
    _, branch, _ = nested()
    branch.parameters.update(parameters(item="set"))
    assert branch.find("item").value == "set"


def test_copies_for_another_process_have_no_failures():
    root, branch, inner = nested()
    root.failure = branch.failure = Failure("s", LookupError())
    assert branch.alone().outer is None
    copied = inner.without_failures()
    assert copied.outer.failure is None
    assert copied.outer.outer.failure is None
    assert branch.failure is not None
    assert copied.visible() == inner.visible()
