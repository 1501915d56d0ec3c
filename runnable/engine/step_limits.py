"""Where the tasks of a run ask for slots, and whether there are enough."""

from collections.abc import Iterator
from typing import NamedTuple, cast

from runnable.concurrency import ANY, ONE, Limiter, Wants
from runnable.context import RunContext
from runnable.engine.environment import Shared
from runnable.errors import ConfigurationError, did_you_mean
from runnable.graph import Graph, Policy, most, tasks_of


def slots_of(policy: Policy) -> Wants:
    """Return the slots that a task takes."""
    return {**ONE, **dict(policy.limits)} if policy.limits else ONE


class _Around(NamedTuple):
    """The step that a nested run belongs to."""

    limiters: tuple[Limiter, ...]
    """Where it has got its slots."""
    held: Wants
    step: object
    """Identifies it."""


def _around(context: RunContext) -> _Around | None:
    run = context.run
    outer = run.outer if run is not None else None
    if run is None or outer is None or outer.container is not run.container:
        return None
    step, limiters = run.before.step, cast("tuple[Limiter, ...]", outer.limiters)
    if step is None:
        return _Around((), {}, None)
    held = {**ONE, **dict(step.limits)}
    return _Around(limiters, held, (id(outer), step.path, step.attempt))


def _held(context: RunContext) -> dict[str, int]:
    """Return what the steps hold by name that a run is nested in, at any depth."""
    run, held = context.run, dict[str, int]()
    while run is not None and run.outer is not None:
        if run.outer.container is run.container and run.before.step is not None:
            held = most([held, dict(run.before.step.limits)])
        run = run.outer
    return held


def limiters_of(shared: Shared, context: RunContext) -> tuple[Limiter, ...]:
    """Return where the tasks of a run ask for slots; a nested run, of its step first.

    Args:
        shared: What the runs of the container share.
        context: Describes the run.
    """
    around = _around(context)
    if around is None:
        return shared.limiters
    left = {**around.held}
    parts = [(it, it.part_of(left)) for it in around.limiters]
    nested = [it.nested(around.step, part) for it, part in parts if part]
    # What the step does not hold, its run may have, which may be nested itself.
    more = () if _is_all(around) else shared.limiters
    return tuple(dict.fromkeys((*nested, *around.limiters, *more)))


def _is_all(around: _Around) -> bool:
    return any(it.is_all for it in around.limiters)


def check_limits(graph: Graph, shared: Shared, context: RunContext) -> str:
    """Refuse a run whose tasks would wait for ever.

    Args:
        graph: Its graph.
        shared: What the runs of the container share.
        context: Describes the run.

    Returns:
        What to warn of; empty if there is nothing.

    Raises:
        ConfigurationError: If a step takes what there is not, or more than there is.
    """
    if not graph.limits:
        return ""
    limits = most(it.limits for it in shared.limiters)
    limits.pop(ANY, None)
    if not limits:
        names = ", ".join(sorted(map(repr, graph.limits)))
        return (
            f"steps take {names}, and nothing says how much of it there is: any number "
            "of them are active at once. Say it in the container or the configuration"
        )
    around = _around(context)
    held = _held(context)
    is_all = around is not None and _is_all(around)
    if problems := [*limit_problems(graph, limits, held, is_all=is_all)]:
        raise ConfigurationError("; ".join(problems))
    return ""


def limit_problems(
    graph: Graph, limits: Wants, held: Wants, *, is_all: bool = False
) -> Iterator[str]:
    """Yield what steps take that they can never have.

    Args:
        graph: Their graph.
        limits: How much there is, by name.
        held: What the steps have that their run is nested in.
        is_all: Whether they can have nothing else.
    """
    for node in tasks_of([graph]):
        for name, count in node.policy.limits:
            takes = f"step {node.name!r} takes {count} of {name!r}"
            if name not in limits:
                hint = did_you_mean(name, limits)
                yield f"{takes}, for which there is no limit. {hint}"
            elif count > limits[name]:
                yield f"{takes}, of which there are {limits[name]} at all"
            elif (held or is_all) and count > held.get(name, 0):
                # It would hold some slots while it waits for others.
                yield (
                    f"{takes}, and the step that its pipeline is nested in has "
                    f"{held.get(name, 0)}; name there all that the pipeline takes"
                )
