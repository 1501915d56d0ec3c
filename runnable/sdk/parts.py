"""Runs of a part of a pipeline, with what an earlier run has recorded."""

import logging
from collections.abc import Mapping
from dataclasses import replace

from pydantic import JsonValue

from runnable.context import RunContext
from runnable.engine import EarlierInputs, earlier_inputs, learn_secrets
from runnable.errors import ConfigurationError, DefinitionError
from runnable.executor import ExecutionOptions
from runnable.graph import (
    WHOLE,
    Part,
    TaskNode,
    needs_of,
    part_of,
    surroundings,
    tasks_of,
    uses,
)
from runnable.pickler import BasePickler
from runnable.scope.options import RunSettings
from runnable.sdk.kept_runs import KeptRuns
from runnable.sdk.run_request import RunRequest
from runnable.tasks import BaseTaskType

logger = logging.getLogger(__name__)


def part_request(request: RunRequest, settings: RunSettings) -> RunRequest:
    """Return the request for the part of a pipeline that is to be run.

    Args:
        request: That of the whole.
        settings: What is in force.

    Raises:
        DefinitionError: If there is no such part.
    """
    part = Part(tuple(settings.only), settings.from_, settings.until)
    if part == WHOLE:
        return request
    if request.job is not None:
        problem = "a job is one task; `only`, `from_` and `until` are for pipelines"
        raise DefinitionError(problem)
    graph = part_of(request.graph, part)
    return replace(
        request,
        graph=graph,
        needs=needs_of(graph, uses(graph)),
        whole=request.whole or request.graph,
        kept=request.kept or graph.step_names,
    )


def described_part(settings: RunSettings) -> Mapping[str, JsonValue]:
    """Describe which part is run, for its run log.

    Args:
        settings: What is in force.

    Returns:
        The options that are set; nothing for a whole pipeline.
    """
    said: dict[str, JsonValue] = {
        "only": [*settings.only],
        "from_": settings.from_,
        "until": settings.until,
        "inputs_from": settings.inputs_from,
    }
    return {name: it for name, it in said.items() if it}


def check_runs_here(context: RunContext, options: ExecutionOptions) -> None:
    """Refuse a part of a pipeline where other processes look for the whole.

    Args:
        context: That of the run.
        options: How the executor wants steps to be run.

    Raises:
        ConfigurationError: If its executor hands steps to other processes.
    """
    if context.part and (options.launcher or options.renderer or options.cluster):
        kind = context.services.executor.service_name
        raise ConfigurationError(
            f"the executor {kind!r} runs whole pipelines; run a part of one "
            "(only, from_, until, inputs_from) with the executor 'local'"
        )


def find_inputs(request: RunRequest, context: RunContext, text: str) -> EarlierInputs:
    """Find what an earlier run has recorded for the steps that are run now.

    Args:
        request: What is run.
        context: That of the new run.
        text: The id of the earlier run, or how it begins, or `latest`.

    Raises:
        RunLogNotFoundError: If there is no such run.
        EarlierInputsError: If an object was not stored.
    """
    whole = request.whole or request.graph
    kept_steps = request.kept or whole.step_names
    services = context.services
    assert isinstance(services.pickler, BasePickler)  # noqa: S101 - it was made as one
    kept = KeptRuns(services.run_log_store, services.catalog, services.pickler)
    around = surroundings(whole, kept_steps)
    inputs = earlier_inputs(kept.find(text), request.graph, around, context)
    names = {it for node in tasks_of([whole]) for it in _secrets(node)}
    for gone in learn_secrets(names | inputs.secrets, context):
        logger.warning("Run %r: %s", context.run_id, gone)
    return inputs


def _secrets(node: TaskNode) -> list[str]:
    return node.task.secrets if isinstance(node.task, BaseTaskType) else []
