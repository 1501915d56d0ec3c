"""Find what would make a run fail, as far as it can be known before it starts.

A parameter counts as known if the run starts with it and no step returns one of its
name. What is known is used as a run would use it: values become arguments, lists become
the items of maps, names choose branches. Declared secrets are asked for, and patterns
of files to get are compared with those of files that steps put.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import cast

from pydantic import JsonValue

from runnable.catalog.patterns import may_overlap
from runnable.datastore import AnyParameter
from runnable.engine import json_parameters, limit_problems, shared_of_container
from runnable.engine.fan_out.fan_out import ParallelFanOut, fan_out
from runnable.engine.parameter_scope import ParameterScope
from runnable.errors import RunnableError
from runnable.executor import BaseExecutor
from runnable.graph import (
    CompositeNode,
    ConditionalNode,
    ExecutableNode,
    Graph,
    MapNode,
    Node,
    TaskNode,
    join,
    provided,
)
from runnable.journal import JsonParameter
from runnable.parameters import Offer
from runnable.scope.options import NamedLimits, Options
from runnable.sdk.run_request import RunRequest
from runnable.sdk.services import AnyRunContainer, close_all, make_services
from runnable.sdk.start import ports_of, resolved
from runnable.secrets import BaseSecrets, Masker
from runnable.tasks import BaseTaskType

_LOOKED_AT = 20
"""Items of a map that are given to its branch; the others are like them."""


def find_problems(
    request: RunRequest, options: Options, container: AnyRunContainer | None
) -> list[str]:
    """Check whether something could be run, without running it.

    Args:
        request: What would be run.
        options: The options of the caller.
        container: Answers the run's markers, if it is not the default one.

    Returns:
        A text for each problem; none if nothing is known to be wrong.
    """
    try:
        request, settings, parameters = resolved(request, options, container)
        services, made = make_services(settings, ports_of(request))
    except RunnableError as error:
        return [str(error)]
    try:
        kind = request.context_type.executor_kind
        executor = cast("BaseExecutor", services[kind])
        masker = Masker()
        secrets = cast("BaseSecrets", services["secrets"])
        found = [
            *_of_hooks([*settings.hooks, *request.hooks()]),
            *_of_executor(executor, request.graph),
            *_of_limits(request.graph, settings.limits, container),
            *_of_secrets(request.graph, secrets, masker),
            *_of_files(request.graph),
            *_of_values(request.graph, parameters, masker),
        ]
        return [masker.text(text) for text in dict.fromkeys(found)]
    finally:
        close_all(made)


def _of_hooks(hooks: Sequence[object]) -> Iterator[str]:
    """Find the functions that are to be called at an end."""
    from runnable.events.hooks import Hook  # most programs have none

    for hook in hooks:
        try:
            if isinstance(hook, Hook):
                hook.find()
        except RunnableError as error:
            yield str(error)


def _of_limits(
    graph: Graph, configured: NamedLimits, container: AnyRunContainer | None
) -> Iterator[str]:
    runs = container.runs() if container else shared_of_container().active_runs
    limits = {**configured.limits, **runs.step_limits.named}
    return limit_problems(graph, limits, {}) if limits else iter(())


def _of_executor(executor: BaseExecutor, graph: Graph) -> Iterator[str]:
    try:
        executor.check(graph)
    except RunnableError as error:
        yield str(error)


def _steps(graph: Graph, path: str = "") -> Iterator[tuple[str, Node]]:
    """Yield all nodes, with the names of branches as they are defined."""
    for node in graph.nodes.values():
        here = join(path, node.name)
        yield here, node
        if isinstance(node, CompositeNode):
            for name, branch in node.branches.items():
                yield from _steps(branch, join(here, name))


def _of_secrets(graph: Graph, secrets: BaseSecrets, masker: Masker) -> Iterator[str]:
    """Ask for each secret that a task declares."""
    for where, node in _steps(graph):
        task = node.task if isinstance(node, TaskNode) else None
        for name in task.secrets if isinstance(task, BaseTaskType) else ():
            try:
                masker.learn(name, secrets.get(name))
            except RunnableError as error:
                yield f"step {where!r}: {error}"


def _of_files(graph: Graph) -> Iterator[str]:
    """Compare what steps get with what steps put."""
    steps = [(path, it) for path, it in _steps(graph) if isinstance(it, ExecutableNode)]
    put = [name for _, it in steps if it.catalog for name in it.catalog.put]
    for path, node in steps:
        for pattern in node.catalog.get if node.catalog else ():
            if not any(may_overlap(pattern, other) for other in put):
                puts = ", ".join(map(repr, dict.fromkeys(put))) or "nothing"
                why = f"no step puts such a file; they put {puts}"
                yield f"step {path!r} gets {pattern!r} from the catalog, and {why}"


def _of_values(
    graph: Graph, parameters: Mapping[str, AnyParameter], masker: Masker
) -> Iterator[str]:
    """Use what is known of the parameters as a run would use it."""
    changed = provided(graph)
    known = {name: it for name, it in parameters.items() if name not in changed}
    return _used(graph, "", known, masker)


def _used(
    graph: Graph, path: str, known: Mapping[str, AnyParameter], masker: Masker
) -> Iterator[str]:
    for node in graph.nodes.values():
        here = join(path, node.name)
        if isinstance(node, TaskNode) and isinstance(node.task, BaseTaskType):
            offers = {name: _offer(it) for name, it in known.items()}
            for error in node.task.check_given(offers):
                yield f"step {here!r}: {error}"
        elif isinstance(node, CompositeNode):
            yield from _branches(node, here, known, masker)


def _branches(
    node: CompositeNode, path: str, known: Mapping[str, AnyParameter], masker: Masker
) -> Iterator[str]:
    inner = {name: it for name, it in known.items() if name not in node.brings()}
    within: list[Mapping[str, AnyParameter]] = [inner]
    branches = node.branches
    if all(name in known for name in node.asks()):
        try:
            opened = fan_out(node, ParameterScope("", dict(known)), path, masker)
        except RunnableError as error:
            yield f"step {path!r}: {error}"
            return
        if isinstance(opened, ParallelFanOut):
            # Of a conditional, the chosen one.
            branches = {branch.name: branch.graph for branch in opened}
        if isinstance(node, MapNode):
            items = _items(node, known[node.iterate_on])
            within = [{**inner, **item} for item in items]
    elif isinstance(node, ConditionalNode):
        return  # which branch is chosen is not known
    for name, branch in branches.items():
        for values in within:
            yield from _used(branch, join(path, name), values, masker)


def _items(node: MapNode, of: AnyParameter) -> list[dict[str, AnyParameter]]:
    """Return what the first branches of a map get for its items."""
    assert isinstance(of, JsonParameter)  # noqa: S101 - a run starts with JSON
    items = cast("list[JsonValue]", of.value)[:_LOOKED_AT]
    texts = of.text if isinstance(of.text, list) else [None] * len(items)
    name = node.iterate_as
    return [
        json_parameters({name: item}, {name: text})
        for item, text in zip(items, texts, strict=False)
    ]


def _offer(parameter: AnyParameter) -> Offer:
    text = parameter.text if isinstance(parameter, JsonParameter) else None
    return Offer(parameter.get_value, text=text)
