"""Run every step in a container of its own, by Docker or Podman."""

from contextlib import closing

from runnable.executor.base import BaseExecutor, BaseJobExecutor, BasePipelineExecutor
from runnable.executor.container_settings import ContainerOptions
from runnable.executor.execution import ExecutionOptions
from runnable.executor.overrides import chosen_overrides
from runnable.graph import Graph


class _Launching(ContainerOptions, BaseExecutor):
    @property
    def options(self) -> ExecutionOptions:
        """Launch each step in a container."""
        from runnable.executor.docker_steps import ContainerLauncher

        launcher = ContainerLauncher(self, self._context.services)
        return super().options._replace(launcher=launcher)

    def identities(self) -> dict[str, str]:
        """Return the digest of the image that most steps run in."""
        from runnable.executor.docker_steps import DockerService

        with closing(DockerService(self.docker_host)) as service:
            return {"docker": service.digest(self.settings())}

    def check(self, graph: Graph) -> None:
        """Refuse a pipeline whose images, or settings, are not there."""
        from runnable.executor.docker_steps import DockerService

        super().check(graph)
        with closing(DockerService(self.docker_host)) as service:
            for override in dict.fromkeys(chosen_overrides(graph, self.service_name)):
                service.digest(self.settings(override))


class LocalContainerExecutor(_Launching, BasePipelineExecutor):
    """Runs every task in a container of its own, on this machine.

    The containers see the folders of a run log store and a catalog that keep files, and
    get the secrets that their step declares as files. They find the pipeline in the
    image, or in a volume, by its reference; see `Pipeline.reference`.

    Example:
        >>> LocalContainerExecutor(docker_image="flows:1").settings().pull
        'missing'
    """

    service_name: str = "local-container"
    enable_parallel: bool | None = None
    """As in version 0.50: False has branches run one after the other."""

    @property
    def options(self) -> ExecutionOptions:
        """Launch each step in a container."""
        options = super().options
        if self.enable_parallel is False:
            overlap = options.overlap._replace(parallelism="none")
            return options._replace(overlap=overlap)
        return options


class LocalContainerJobExecutor(_Launching, BaseJobExecutor):
    """Runs the task of a job in a container, on this machine."""

    service_name: str = "local-container"
