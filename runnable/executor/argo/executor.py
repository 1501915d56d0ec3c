"""Describe a pipeline as a workflow of Argo; in its pods, run a step."""

from functools import cached_property

from pydantic import ConfigDict

from runnable.executor.argo.settings import NAME, ArgoSettings
from runnable.executor.base import BasePipelineExecutor
from runnable.executor.execution import ExecutionOptions, RenderRequest
from runnable.executor.kubernetes.settings import EITHER
from runnable.executor.local import LocalOptions
from runnable.executor.mounts import Mount, mounts_of


class ArgoExecutor(LocalOptions, ArgoSettings, BasePipelineExecutor):
    """Writes a workflow of Argo instead of running a pipeline.

    Its pods have this configuration too, and run one step each. Stores that keep files
    need a volume that all pods see: `pvc_for_runnable`, or one of `custom_volumes`.

    Example:
        >>> workflow = {"metadata": {"generateName": "flow-"}}
        >>> executor = ArgoExecutor(argoWorkflow=workflow, defaults={"image": "f:1"})
        >>> executor.defaults.image_pull_policy
        'Always'
    """

    model_config = ConfigDict(extra="forbid", alias_generator=EITHER)

    service_name: str = NAME

    @property
    def options(self) -> ExecutionOptions:
        """Describe runs to Argo."""
        renderer = _Renderer(self, mounts_of(self._context.services))
        return super().options._replace(renderer=renderer)


class _Renderer:
    """Describes runs to Argo; needs the library `hera`."""

    def __init__(self, settings: ArgoSettings, mounts: list[Mount]) -> None:
        self._settings = settings
        self._mounts = mounts

    @cached_property
    def output_file(self) -> str:
        return self._settings.output_file

    def render(self, request: RenderRequest) -> str:
        try:
            from runnable.executor.argo.workflow import workflow_text
        except ImportError as error:
            from runnable.errors import ConfigurationError

            raise ConfigurationError(
                f"the executor 'argo' needs the library hera ({error}): "
                "pip install 'runnable[argo]'"
            ) from error
        return workflow_text(request, self._settings, self._mounts)
