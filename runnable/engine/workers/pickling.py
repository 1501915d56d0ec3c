"""Pickle what a worker process is sent; what a script defines travels by value."""

# cloudpickle has no types.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false

import functools
import io
import pickle
import sys
from collections.abc import Callable, Mapping
from typing import Any, cast

_SCRIPTS = ("__main__", "__mp_main__")
"""Names of the script; the second one in a process of multiprocessing's."""

Function = Callable[..., object]


def dumps(content: object) -> bytes:
    """Pickle something, by value where another process could not import it.

    Args:
        content: May hold functions and classes of the script, also cached ones
            (`functools.lru_cache`) and generic ones (`functools.singledispatch`).

    Raises:
        Exception: Whatever an object raises that cannot be pickled.
    """
    with io.BytesIO() as file:
        _pickler()(file, pickle.HIGHEST_PROTOCOL).dump(content)
        return file.getvalue()


@functools.cache
def _pickler() -> type[pickle.Pickler]:
    import cloudpickle  # only who uses processes pays for it

    class Pickler(cloudpickle.Pickler):  # type: ignore[misc]  # no types
        def reducer_override(self, obj: Any) -> Any:
            """Return how an object is rebuilt."""
            reduced = _reduced(obj) if callable(obj) else None
            return super().reducer_override(obj) if reduced is None else reduced

    script = sys.modules.get("__mp_main__")
    if script is not None and script is sys.modules["__main__"]:
        cloudpickle.register_pickle_by_value(script)
    return Pickler


def _reduced(
    function: Function,
) -> tuple[Function, tuple[object, ...]] | None:
    """Return how a wrapper is rebuilt that pickle takes for something importable."""
    module = getattr(function, "__module__", None)
    if module not in _SCRIPTS and "<locals>" not in getattr(
        function, "__qualname__", ""
    ):
        return None
    if isinstance(function, functools._lru_cache_wrapper):  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]  # its only name
        return _cached, (function.__wrapped__, function.cache_parameters())
    registry = getattr(function, "registry", None)
    if isinstance(registry, Mapping) and hasattr(function, "dispatch"):
        return _generic, (dict(cast("Mapping[type, Function]", registry)),)
    return None


def _cached(function: Function, parameters: Mapping[str, object]) -> Function:
    return functools.lru_cache(
        maxsize=cast("int | None", parameters["maxsize"]),
        typed=cast("bool", parameters["typed"]),
    )(function)


def _generic(registry: Mapping[type, Function]) -> Function:
    generic = functools.singledispatch(registry[object])
    for kind, function in registry.items():
        generic.register(kind, function)
    return generic
