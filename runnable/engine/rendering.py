"""Describe a run to a workflow engine, instead of running it."""

from collections.abc import Mapping
from typing import NamedTuple

from runnable.context import RunContext
from runnable.datastore import AnyParameter
from runnable.engine.launching import reference_of
from runnable.engine.run_folder import is_needed
from runnable.engine.secret_values import hidden_names, masked
from runnable.errors import ConfigurationError
from runnable.executor import ExecutionOptions, RenderRequest
from runnable.graph import Graph
from runnable.system.atomic_files import atomic_file
from runnable.system.working_directory import absolute


class Manifest(NamedTuple):
    """The description of a run for a workflow engine."""

    text: str
    file: str
    """Where it belongs, relative to the working directory."""

    def write(self, file: str = "") -> None:
        """Write it.

        Args:
            file: Where to; where it belongs if empty.
        """
        path = absolute(file or self.file)
        with atomic_file(str(path.parent)) as draft:
            draft.file.write(self.text.encode())
            draft.keep(str(path))


def render(
    options: ExecutionOptions,
    graph: Graph,
    parameters: Mapping[str, AnyParameter],
    context: RunContext,
) -> Manifest:
    """Return the manifest of a run.

    Args:
        options: How its executor wants it to be run.
        graph: Its graph.
        parameters: Those that it starts with.
        context: Describes the run.

    Raises:
        ConfigurationError: If the executor describes no runs, the engine cannot run
            this one, or a parameter has a secret in it.
    """
    kind = context.services.executor.service_name
    if options.renderer is None:
        raise ConfigurationError(
            f"the executor {kind!r} runs pipelines, and writes no manifest; configure "
            "one that does, such as `pipeline_executor: {type: argo, ...}`"
        )
    if is_needed(graph, options.workspace):
        raise ConfigurationError(
            "workspace: run is a folder that the steps of a run share; each pod has "
            "its own. Use workspace: isolated, and hand files on by the catalog"
        )
    hidden = hidden_names(parameters, masked(parameters, context.masker))
    if hidden:
        raise ConfigurationError(
            f"the parameters {', '.join(hidden)} have a secret in them, which a "
            "manifest must not show; have a task declare the secret"
        )
    resumed = context.run_id if context.is_retry else ""
    reference = reference_of(context)._replace(import_path=())
    request = RenderRequest(
        graph,
        reference,
        parameters,
        resumed,
        context.configuration_file,
        context.label_options,
    )
    return Manifest(options.renderer.render(request), options.renderer.output_file)
