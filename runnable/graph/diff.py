"""Differences between two descriptions of a graph."""

from collections.abc import Iterable, Iterator, Mapping

from pydantic import JsonValue

_FREE = frozenset({
    "description",
    "max_attempts",
    "limits",
    "retry_delay",
    "timeout_seconds",
    "workspace",
    "cache",
    "interrupt",
    "parallelism",
    "max_workers",
    "overrides",
})
"""Settings that may change before a resume: how steps run, not what they do."""
_SHOWN = 60


def changes(before: JsonValue, after: JsonValue) -> list[str]:
    """Compare two descriptions of a graph.

    Args:
        before: As `Graph.described`, maybe read from a run log.
        after: Likewise.

    Returns:
        A line for each difference in what the steps do; none if there is no such.

    Example:
        >>> before = {"nodes": {"a": {"command": "f", "description": ""}}}
        >>> after = {"nodes": {"a": {"command": "g", "description": "x"}, "b": {}}}
        >>> changes(before, after)
        ["nodes.a.command: 'f' became 'g'", 'nodes.b is new']
    """
    return list(_changes(before, after, "")) if before != after else []


def _changes(before: JsonValue, after: JsonValue, location: str) -> Iterator[str]:
    if not isinstance(before, Mapping) or not isinstance(after, Mapping):
        if not _same_function(before, after, location):
            yield f"{location}: {_short(before)} became {_short(after)}"
        return
    for key in [*before, *(key for key in after if key not in before)]:
        where = f"{location}.{key}" if location else key
        if key not in after or key not in before:
            if not _may_change(key, [before.get(key), after.get(key)], location):
                yield f"{where} is {'gone' if key in before else 'new'}"
        elif before[key] != after[key] and not _may_change(
            key, [before[key], after[key]], location
        ):
            yield from _changes(before[key], after[key], where)


def _may_change(key: str, values: Iterable[JsonValue], location: str) -> bool:
    # A step or a branch may be called like a setting.
    is_free = key in _FREE and not any(map(_is_part, values))
    return is_free or (not location and key == "name")


def _is_part(value: JsonValue) -> bool:
    """Return True if something is a node or a graph, not a setting."""
    return isinstance(value, Mapping) and bool({"node_type", "nodes"} & value.keys())


def _same_function(before: JsonValue, after: JsonValue, location: str) -> bool:
    """Return True if two names are of one function.

    A script is called `__main__`, and a test runner may import a module under a name
    that has more of its folders.
    """
    if not isinstance(before, str) or not isinstance(after, str):
        return False
    module, _, name = before.rpartition(".")
    other_module, _, other_name = after.rpartition(".")
    if name != other_name or not module or not other_module:
        return False
    if "__main__" in {module, other_module}:
        return True
    shorter, longer = sorted((f".{module}", f".{other_module}"), key=len)
    return location.endswith(".command") and longer.endswith(shorter)


def _short(value: JsonValue) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
