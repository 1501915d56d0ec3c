"""Blocks of an executor's configuration that tasks choose by name."""

from collections.abc import Iterator, Mapping
from typing import TypeVar

from pydantic import BaseModel, JsonValue, ValidationError
from pydantic.alias_generators import to_camel

from runnable.errors import ConfigurationError, did_you_mean
from runnable.graph import Graph, tasks_of

T = TypeVar("T", bound=BaseModel)


def chosen_overrides(graph: Graph, executor: str) -> Iterator[str]:
    """Yield the blocks that the tasks of a graph have chosen; empty for none.

    Args:
        graph: The graph.
        executor: The name of the executor.
    """
    for node in tasks_of([graph]):
        yield node.overrides.get(executor, "")


def with_override(executor: BaseModel, kind: type[T], override: str) -> T:
    """Return the settings of a step: those of its executor, some of them replaced.

    Args:
        executor: The executor; it has a `service_name`, and maybe `overrides`.
        kind: The class of the settings.
        override: The block that the step has chosen; empty for none.

    Raises:
        ConfigurationError: If there is no such block, or it is wrong.
    """
    fields = {to_camel(it): it for it in kind.model_fields}
    own: dict[str, object] = {it: getattr(executor, it) for it in fields.values()}
    for key, value in _block(executor, override).items():
        own[fields.get(key, key)] = value
    return _validated(executor, kind, own, override)


def block_of(executor: BaseModel, kind: type[T], override: str) -> T:
    """Return a block of overrides by itself.

    Args:
        executor: The executor; it has a `service_name`, and maybe `overrides`.
        kind: The class of the block.
        override: Its name; empty for an empty block.

    Raises:
        ConfigurationError: If there is no such block, or it is wrong.
    """
    return _validated(executor, kind, _block(executor, override), override)


def _block(executor: BaseModel, override: str) -> Mapping[str, JsonValue]:
    name: str = getattr(executor, "service_name", "")
    blocks: Mapping[str, Mapping[str, JsonValue]] = getattr(executor, "overrides", {})
    if override and override not in blocks:
        hint = did_you_mean(override, blocks)
        raise ConfigurationError(f"{name} has no overrides {override!r}. {hint}")
    return blocks.get(override, {})


def _validated(
    executor: BaseModel, kind: type[T], values: Mapping[str, object], override: str
) -> T:
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        found = "; ".join(
            f"{'.'.join(map(str, it['loc']))}: {it['msg']}" for it in error.errors()
        )
        name: str = getattr(executor, "service_name", "")
        raise ConfigurationError(f"{name}, overrides.{override}: {found}") from None
