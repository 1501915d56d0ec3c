"""The settings of workflows of Argo, and of their pods."""

from typing import Literal, Self

from pydantic import (
    AliasChoices,
    Field,
    JsonValue,
    field_validator,
    model_validator,
)

from runnable.executor.kubernetes.settings import (
    Strict,
    Toleration,
    with_known_names,
)
from runnable.executor.overrides import block_of

NAME = "argo"

PullPolicy = Literal["Always", "IfNotPresent", "Never"]


class Backoff(Strict):
    """How long Argo waits before it starts a pod again."""

    duration: str = "2m"
    factor: int = 2
    max_duration: str = "1h"


class RetryStrategy(Strict):
    """How often Argo starts a pod again that has failed."""

    limit: int = Field(default=0, ge=0)
    retry_policy: Literal["Always", "OnFailure", "OnError", "OnTransientError"] = (
        "Always"
    )
    back_off: Backoff = Field(
        default=Backoff(),
        validation_alias=AliasChoices("back_off", "backOff", "backoff"),
    )


Amounts = dict[str, str | int | float | None]


class Resources(Strict):
    """Limits and requests of a pod: any resource of a cluster.

    `gpu` stands for `nvidia.com/gpu`; null removes a resource that is there by default.
    """

    limits: Amounts = {}
    requests: Amounts = {}

    @field_validator("limits", "requests", mode="after")
    @classmethod
    def _named(cls, given: Amounts) -> Amounts:
        return with_known_names(given)


class Variable(Strict):
    """A variable of pods: a value that everyone sees, or a key of a Secret."""

    name: str = Field(
        validation_alias=AliasChoices(
            "name", "environment_variable", "environmentVariable"
        )
    )
    value: str | None = None
    secret_name: str = ""
    secret_key: str = ""

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if (self.value is None) != bool(self.secret_name and self.secret_key):
            raise ValueError(
                f"variable {self.name!r} has a value, or a secret_name and a secret_key"
            )
        return self


class StepSettings(Strict):
    """The settings of the pod of a step."""

    image: str = Field(min_length=1)
    """The image; it has this library, the code of the pipeline and what that needs."""
    active_deadline_seconds: int = Field(default=86400, ge=1)
    fail_fast: bool = True
    """Whether a sequence of steps ends with the first that fails."""
    node_selector: dict[str, str] = {}
    parallelism: int | None = Field(default=None, ge=1)
    """How many branches of a step are active at once, unless it says so itself."""
    retry_strategy: RetryStrategy | None = None
    timeout: str = ""
    tolerations: list[Toleration] = []
    image_pull_policy: PullPolicy = "Always"
    resources: Resources = Resources()
    env: list[Variable] = []


class StepOverride(StepSettings):
    """Settings that replace some of the default ones."""

    image: str = ""


def overridden(defaults: StepSettings, override: StepOverride) -> StepSettings:
    """Return the settings of a step; what its block does not mention, stays.

    Args:
        defaults: Those of all steps.
        override: Those of the block that the step has chosen.
    """
    own = defaults.model_dump()
    changed = override.model_dump(exclude_unset=True)
    for name, values in changed.pop("resources", {}).items():
        own["resources"][name] = {**own["resources"][name], **values}
    by_name = {it["name"]: it for it in [*own["env"], *changed.pop("env", [])]}
    return StepSettings.model_validate({**own, **changed, "env": [*by_name.values()]})


class Metadata(Strict):
    """The metadata of the workflow."""

    generate_name: str = Field(min_length=1)
    namespace: str = "default"
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class PodGC(Strict):
    """When pods that have ended are removed."""

    strategy: str = "OnPodSuccess"
    delete_delay_duration: str = "1h"
    label_selector: dict[str, JsonValue] | None = None


Raw = dict[str, JsonValue]
"""As a workflow has it, in Argo's own spelling."""


class WorkflowSpec(Strict):
    """The settings of the whole workflow."""

    active_deadline_seconds: int = Field(default=86400, ge=1)
    node_selector: dict[str, str] = {}
    parallelism: int | None = Field(default=None, ge=1)
    pod_gc: PodGC | None = Field(
        default=None, validation_alias=AliasChoices("pod_gc", "podGc", "podGC")
    )
    retry_strategy: RetryStrategy | None = None
    """For pods of which neither `defaults` nor their block of overrides says one."""
    service_account_name: str = ""
    tolerations: list[Toleration] = []
    ttl_strategy: Raw | None = None
    image_pull_secrets: list[Raw] = []
    security_context: Raw | None = None
    affinity: Raw | None = None
    arguments: JsonValue = None
    template_defaults: JsonValue = None
    """Both are accepted, as in version 0.50, and made by this library."""


class WorkflowSettings(Strict):
    """The workflow."""

    metadata: Metadata
    spec: WorkflowSpec = WorkflowSpec()


class Claim(Strict):
    """A persistent volume claim."""

    claim_name: str = Field(min_length=1)
    read_only: bool = False


class CustomVolume(Strict):
    """A claim that every pod has mounted."""

    mount_path: str = Field(pattern="^/")
    persistent_volume_claim: Claim


class Schedule(Strict):
    """When the workflow is started."""

    schedules: list[str] = Field(min_length=1)
    timezone: str | None = None
    concurrency_policy: Literal["Allow", "Forbid", "Replace"] | None = None


class ArgoSettings(Strict):
    """The settings of the executor."""

    defaults: StepSettings
    """The settings of all pods."""
    argo_workflow: WorkflowSettings
    """The workflow itself: its name, service account, time limits."""
    pvc_for_runnable: str = ""
    """The claim that every pod has mounted at `/tmp`, where the stores are."""
    custom_volumes: list[CustomVolume] = []
    """Volumes of the cluster that every pod has mounted."""
    expose_parameters_as_inputs: bool = True
    """Whether parameters that are texts, numbers, booleans or null are arguments of the
    workflow."""
    configmap_cache_name: str = ""
    """The ConfigMap by which Argo skips steps that have succeeded in the run before;
    none if empty: the pods skip them then."""
    secret_from_k8s: str = Field(
        default="",
        validation_alias=AliasChoices(
            "secret_from_k8s", "secretFromK8S", "secretFromK8s", "secrets_from_k8s"
        ),
    )
    """The Secret whose keys are the secrets that tasks declare; pods refer to it."""
    output_file: str = Field(default="argo-pipeline.yaml", min_length=1)
    """Where the workflow is written."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = "INFO"
    """The log level of the pods."""
    cron_schedule: Schedule | None = None
    """When it is started; a CronWorkflow is written then."""
    mock: bool = False
    """Accepted, as in version 0.50, and not used."""

    def step_settings(self, override: str = "") -> StepSettings:
        """Return the settings of the pod of a step.

        Args:
            override: The block of overrides that the step has chosen, if any.

        Raises:
            ConfigurationError: If there is no such block, or it is wrong.
        """
        return overridden(self.defaults, block_of(self, StepOverride, override))
