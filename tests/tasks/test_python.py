"""Functions that are named instead of given."""

import pytest

from runnable.exceptions import DefinitionError
from runnable.parameters import Offer
from runnable.tasks import PythonTaskType


def test_a_dotted_name_is_imported():
    call = PythonTaskType(command="math.sqrt").bind({"x": Offer(lambda: 9)})
    assert call.function(*call.args, **call.kwargs) == 3


@pytest.mark.parametrize(
    ("command", "text"),
    [
        ("math.no_such", "module 'math' has no function 'no_such'"),
        ("no_such_module.f", "No module named 'no_such_module'"),
        ("f", "'f' names no "),
        ("math.pi", "is a float, not a function"),
    ],
)
def test_a_wrong_name_is_a_clear_error(command, text):
    with pytest.raises(DefinitionError, match=text):
        PythonTaskType(command=command).required()


def test_a_function_without_a_signature():
    with pytest.raises(DefinitionError, match="has no signature"):
        PythonTaskType(function=dict.update).required()
