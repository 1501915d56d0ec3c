"""The settings of jobs on Kubernetes, as version 0.50 has them."""

from typing import Literal

from pydantic import Field, JsonValue, field_validator

from runnable.executor.kubernetes.settings import (
    USUAL_AMOUNTS,
    Strict,
    Toleration,
    with_known_names,
)

_FIELDS = 5

PullPolicy = Literal["Always", "IfNotPresent", "Never"]


class Expression(Strict):
    """A rule for labels."""

    key: str
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"]
    values: list[str] = []


class Selector(Strict):
    """Which pods belong to the Job."""

    match_expressions: list[Expression] = []
    match_labels: dict[str, str] = {}


class HostPath(Strict):
    """A folder of the node."""

    path: str


class Claim(Strict):
    """A persistent volume claim."""

    claim_name: str


class Volume(Strict):
    """A volume of the pod."""

    name: str
    host_path: HostPath | None = None
    persistent_volume_claim: Claim | None = None


class VolumeMount(Strict):
    """Where the container has a volume."""

    name: str
    mount_path: str


class Variable(Strict):
    """A variable of the process: a value that everyone sees, or a reference."""

    name: str
    value: str | None = None
    value_from: dict[str, JsonValue] | None = None
    """As a container has it, in Kubernetes' own spelling."""


Amounts = dict[str, str | int | float]


class Resources(Strict):
    """Limits and requests of the container; `gpu` is Nvidia's."""

    limits: Amounts = {}
    requests: Amounts = {}

    @field_validator("limits", mode="after")
    @classmethod
    def _complete(cls, given: Amounts) -> Amounts:
        return {**USUAL_AMOUNTS, **given}

    def described(self) -> dict[str, dict[str, str]]:
        """Return them as a container has them."""
        return {
            kind: {name: str(it) for name, it in with_known_names(amounts).items()}
            for kind, amounts in (("limits", self.limits), ("requests", self.requests))
            if amounts
        }


class Container(Strict):
    """The container of the job."""

    image: str = Field(min_length=1)
    """The image; it has this library, the code of the job and what that needs."""
    env: list[Variable] = []
    image_pull_policy: PullPolicy | None = None
    """`Always` for `k8s-job`, and `Never` for `mini-k8s-job`, if not given."""
    resources: Resources = Field(default=Resources(), validate_default=True)
    volume_mounts: list[VolumeMount] = []
    working_dir: str = ""


class PodSpec(Strict):
    """The pod of the job."""

    active_deadline_seconds: int = Field(default=7200, ge=1)
    node_selector: dict[str, str] = {}
    tolerations: list[Toleration] = []
    volumes: list[Volume] = []
    service_account_name: str = "default"
    restart_policy: Literal["Never", "OnFailure"] = "Never"
    container: Container


class Metadata(Strict):
    """The metadata of the pod."""

    generate_name: str = ""
    namespace: str = ""
    annotations: dict[str, str] = {}
    labels: dict[str, str] = {}


class Template(Strict):
    """The template of the pod."""

    metadata: Metadata = Metadata()
    spec: PodSpec


class JobSpec(Strict):
    """The Job."""

    active_deadline_seconds: int = Field(default=7200, ge=1)
    """How long it may take, waiting for a node included."""
    backoff_limit: int = Field(default=6, ge=0)
    """How often Kubernetes starts a pod again that has failed."""
    ttl_seconds_after_finished: int = Field(default=86400, ge=0)
    selector: Selector | None = None
    template: Template


class JobSettings(Strict):
    """The settings of the executors."""

    job_spec: JobSpec
    """The Job, as Kubernetes describes it."""
    config_path: str = ""
    """The configuration of `kubectl`; that of the pod this process is in, or the usual
    one, if empty."""
    namespace: str = "default"
    """Of the Job."""
    schedule: str = ""
    """Five fields of cron, such as `0 3 * * *`: the job is not run now, but then."""
    timezone: str = ""
    """Of the schedule, such as `Europe/Berlin`; needs Kubernetes 1.27."""
    mock: bool = False
    """Whether the Job is logged, and not created."""
    secret_from_k8s: str = ""
    """The Secret whose keys are the secrets that the task declares."""
    pending_seconds: float = Field(default=120, gt=0)
    """How long a pod may be unable to start: no node has room, or its image is
    missing."""
    auto_remove: bool = False
    """Whether the Job is deleted when it has ended, without waiting for its TTL."""

    @field_validator("schedule")
    @classmethod
    def _has_five_fields(cls, schedule: str) -> str:
        if schedule and len(schedule.split()) != _FIELDS:
            raise ValueError(f"schedule: {schedule!r} has not the five fields of cron")
        return schedule
