"""The settings of containers that run steps."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from runnable.executor.local import LocalOptions
from runnable.executor.overrides import with_override

Pull = Literal["missing", "always", "never"]


class ContainerSettings(BaseModel):
    """The settings of containers; a block of `overrides` replaces some of them."""

    model_config = ConfigDict(extra="forbid")

    docker_image: str = Field(min_length=1)
    """The image; it has this library, the code of the pipeline and what that needs."""
    auto_remove_container: bool = True
    """Whether a container that has ended is removed."""
    environment: dict[str, str] = {}
    """Variables of the process; everyone who sees the container sees them."""
    volumes: list[str] = []
    """More folders to mount, as `HOST:CONTAINER` or `HOST:CONTAINER:ro`."""
    user: str = ""
    """Who runs the process: `UID:GID`; as the image has it if empty."""
    working_dir: str = ""
    """Where the process works; as the image has it if empty."""
    network: str = ""
    """The network, such as `none`."""
    memory: str = ""
    """The most memory, such as `512m`."""
    cpus: float | None = Field(default=None, gt=0)
    """How many processors, such as 1.5."""
    gpus: int = 0
    """How many graphics processors; -1 for all."""
    pull: Pull = "missing"
    """When the image is pulled."""


class ContainerOptions(LocalOptions, ContainerSettings):
    """The settings of executors that use containers."""

    docker_host: str = ""
    """The address of Docker's or Podman's service, such as
    `unix:///run/docker.sock`; from the environment if empty."""

    def settings(self, override: str = "") -> ContainerSettings:
        """Return the settings of the container of a step.

        Args:
            override: The block of overrides that the step has chosen, if any.

        Raises:
            ConfigurationError: If there is no such block, or it is wrong.
        """
        return with_override(self, ContainerSettings, override)
