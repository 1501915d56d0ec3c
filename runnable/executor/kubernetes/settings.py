"""The settings of Jobs of Kubernetes that run steps."""

from collections.abc import Mapping
from typing import Literal, NamedTuple, Self, TypeVar

from pydantic import (
    AliasChoices,
    AliasGenerator,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    model_validator,
)
from pydantic.alias_generators import to_camel

EITHER = AliasGenerator(
    validation_alias=lambda name: AliasChoices(name, to_camel(name)),
    serialization_alias=to_camel,
)
"""Keys in snake_case or in camelCase; written as Kubernetes does if asked for."""


class Strict(BaseModel):
    """Settings with keys in snake_case or in camelCase, and no others."""

    model_config = ConfigDict(extra="forbid", alias_generator=EITHER)


class Toleration(Strict):
    """A taint of nodes that a pod accepts."""

    key: str = ""
    operator: Literal["Equal", "Exists"] = "Equal"
    value: str | None = None
    effect: str | None = None
    toleration_seconds: int | None = None

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.operator == "Exists" and self.value is not None:
            raise ValueError("a toleration with the operator Exists has no value")
        if self.operator == "Equal" and not self.key:
            raise ValueError("a toleration with the operator Equal needs a key")
        return self


USUAL_AMOUNTS: Mapping[str, str] = {"memory": "1Gi", "cpu": "250m"}
"""Default limits of a container, as in version 0.50."""

T = TypeVar("T")


def with_known_names(amounts: Mapping[str, T]) -> dict[str, T]:
    """Return amounts of resources by the names that clusters know.

    Args:
        amounts: By name; `gpu` is Nvidia's.

    Example:
        >>> with_known_names({"gpu": 1})
        {'nvidia.com/gpu': 1}
    """
    return {"nvidia.com/gpu" if it == "gpu" else it: amounts[it] for it in amounts}


class Resources(BaseModel):
    """Limits and requests of the container of a step."""

    model_config = ConfigDict(extra="forbid")

    limits: dict[str, str | int | float] = {}
    requests: dict[str, str | int | float] = {}


class PodSettings(BaseModel):
    """The settings of Jobs; a block of `overrides` replaces some of them."""

    model_config = ConfigDict(extra="forbid", alias_generator=EITHER)

    image: str = Field(min_length=1)
    """The image; it has this library, the code of the pipeline and what that needs."""
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] = "IfNotPresent"
    """When the node fetches the image."""
    env: dict[str, str] = {}
    """Variables of the process; everyone who sees the pod sees them."""
    secret_from_k8s: str = ""
    """The Secret whose keys are the secrets that tasks declare; pods refer to it."""
    resources: Resources = Resources()
    """Limits and requests of a container."""
    node_selector: dict[str, str] = {}
    """Labels that the node must have."""
    tolerations: list[dict[str, JsonValue]] = []
    """As a pod has them, in Kubernetes' own spelling."""
    volumes: list[dict[str, JsonValue]] = []
    """As a pod has them, in Kubernetes' own spelling."""
    volume_mounts: list[dict[str, JsonValue]] = []
    """As a container has them, in Kubernetes' own spelling."""
    working_dir: str = ""
    """Where the process works; as the image has it if empty."""
    service_account_name: str = "default"
    """As whom the pods run."""
    active_deadline_seconds: int = Field(default=7200, ge=1)
    """How long a step may take, waiting for a node included."""
    ttl_seconds_after_finished: int = Field(default=86400, ge=0)
    """How long a Job is kept that this process could not delete."""
    pending_seconds: float = Field(default=120, gt=0)
    """How long a pod may be unable to start: no node has room, or its image is
    missing."""


class Placement(NamedTuple):
    """Where Jobs are, and where the stores of their run are."""

    namespace: str
    config_path: str
    stores_claim: str
    """The claim with the stores; those of this machine if empty."""
    auto_remove: bool
