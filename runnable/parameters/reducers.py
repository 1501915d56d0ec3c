"""Reducers: how the values that a map has collected become one."""

import ast
import builtins
import importlib
import inspect
from collections.abc import Callable

from runnable.errors import DefinitionError, did_you_mean

_OF_LISTS = ("all", "any", "len", "list", "max", "min", "sorted", "sum", "tuple")
"""Builtins that take the list of the values, not each as an argument."""
_IN_LAMBDAS = (
    *_OF_LISTS,
    *("abs", "bool", "dict", "enumerate", "filter", "float", "int", "map", "range"),
    *("reversed", "round", "set", "str", "zip"),
)
"""Builtins that a lambda given as text may use."""


Reduce = Callable[[list[object]], object]
"""Makes one value of several, in the order of the items."""


def as_reduction(
    reducer: str | Callable[..., object] | None,
) -> tuple[str | None, Reduce | None]:
    """Turn what an author wrote into what is called.

    Args:
        reducer: A callable or its dotted name, or the text of a lambda, which takes the
            values as arguments, or their list if it needs one argument only, such as
            `statistics.mean`; `max`, `min`, `sum`, `len`, `sorted`, `any`, `all`,
            `list` and `tuple` take their list. None for none.

    Returns:
        The text that stands for it, and what takes the list of values. A dotted name
        is imported when it is first called.

    Raises:
        DefinitionError: If a text is no lambda, no dotted name and none of these.

    Example:
        >>> as_reduction("lambda *x: max(x) - min(x)")[1]([1, 5, 2])
        4
        >>> as_reduction(sum)[1]([1, 2])
        3
    """
    if reducer is None:
        return None, None
    if callable(reducer):
        name = getattr(reducer, "__qualname__", type(reducer).__qualname__)
        if any(reducer is getattr(builtins, it) for it in _OF_LISTS):
            return name, reducer
        module = getattr(reducer, "__module__", "") or ""
        return f"{module}.{name}", _spread(reducer)
    text = reducer.strip()
    if text in _OF_LISTS:
        return text, getattr(builtins, text)
    if text.startswith("lambda"):
        return text, _spread(_compile(text))
    if "." in text and all(part.isidentifier() for part in text.split(".")):
        return text, _Imported(text)
    raise DefinitionError(
        f"the reducer {text!r} is no lambda, no dotted name of a function, and none of "
        f"{', '.join(_OF_LISTS)}. {did_you_mean(text, _OF_LISTS)}"
    )


def reducing_function(reduce: Reduce) -> Callable[..., object] | None:
    """Return the function that its author wrote; None if it is not imported yet.

    Args:
        reduce: What `as_reduction` returned.
    """
    if isinstance(reduce, _Imported):
        return None
    return reduce.function if isinstance(reduce, _Spread) else reduce


def _spread(function: Callable[..., object]) -> Callable[[list[object]], object]:
    if takes_list(function):
        return function
    return _Spread(function)


class _Spread:
    """Calls a function with each value as an argument."""

    def __init__(self, function: Callable[..., object]) -> None:
        self.function = function

    def __call__(self, values: list[object]) -> object:
        """Reduce values."""
        return self.function(*values)


class _Imported:
    """A function that is imported when it is first called."""

    def __init__(self, dotted: str) -> None:
        self._dotted = dotted

    def __call__(self, values: list[object]) -> object:
        """Reduce values."""
        return _spread(_import(self._dotted))(values)


def takes_list(function: Callable[..., object]) -> bool:
    """Return True if one argument is all that a function needs, and not any number.

    Args:
        function: A reducer.
    """
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:
        return False
    positional = [
        it
        for it in parameters
        if it.kind in {it.POSITIONAL_ONLY, it.POSITIONAL_OR_KEYWORD}
        and it.default is it.empty
    ]
    return len(positional) == 1 and not any(
        it.kind is it.VAR_POSITIONAL for it in parameters
    )


def _compile(text: str) -> Callable[..., object]:
    try:
        tree = ast.parse(text, "reducer", mode="eval")
    except SyntaxError as error:
        raise DefinitionError(f"the reducer {text!r}: {error.msg}") from error
    if not isinstance(tree.body, ast.Lambda):
        raise DefinitionError(f"the reducer {text!r} is no single lambda")
    for node in ast.walk(tree):
        name = node.attr if isinstance(node, ast.Attribute) else ""
        if name.startswith("_"):
            raise DefinitionError(f"the reducer {text!r} may not use {name!r}")
    allowed = {name: getattr(builtins, name) for name in _IN_LAMBDAS}
    # The author of the pipeline wrote this text; few names are within its reach.
    made: Callable[..., object] = eval(  # noqa: S307
        compile(tree, "reducer", "eval"), {"__builtins__": allowed}
    )
    return made


def _import(dotted: str) -> Callable[..., object]:
    module, _, name = dotted.rpartition(".")
    try:
        found: object = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        problem = f"there is no function {dotted!r} to reduce with: {error}"
        raise DefinitionError(problem) from error
    if not callable(found):
        raise DefinitionError(f"the reducer {dotted!r} is not a function")
    return found
