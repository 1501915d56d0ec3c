"""The settings of containers that run steps."""

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from runnable.errors import ConfigurationError, did_you_mean
from runnable.executor.local import LocalOptions

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
        own: dict[str, object] = {
            name: getattr(self, name) for name in ContainerSettings.model_fields
        }
        blocks: Mapping[str, Mapping[str, JsonValue]] = getattr(self, "overrides", {})
        if override and override not in blocks:
            hint = did_you_mean(override, blocks)
            problem = f"local-container has no overrides {override!r}. {hint}"
            raise ConfigurationError(problem)
        try:
            return ContainerSettings.model_validate(
                own | dict(blocks.get(override, {}))
            )
        except ValidationError as error:
            found = "; ".join(
                f"{'.'.join(map(str, it['loc']))}: {it['msg']}" for it in error.errors()
            )
            problem = f"local-container, overrides.{override}: {found}"
            raise ConfigurationError(problem) from None
