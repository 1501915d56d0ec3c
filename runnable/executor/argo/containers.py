"""The container templates of a workflow: what runs in the pods of its steps."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

from hera.workflows import models as m

from runnable import defaults
from runnable.errors import ConfigurationError
from runnable.executor.argo.settings import (
    ArgoSettings,
    Resources,
    RetryStrategy,
    StepSettings,
    Variable,
)
from runnable.executor.argo.values import arguments, shown_text
from runnable.executor.execution import RenderRequest
from runnable.executor.kubernetes.settings import USUAL_AMOUNTS, Toleration
from runnable.executor.mounts import Mount, variables_of
from runnable.journal import AnyParameter
from runnable.parameters.packing import packed_variables
from runnable.tasks import BaseTaskType

OUTPUT_FOLDER = "/runnable-outputs"
STORES = "runnable"
OUTPUTS = "runnable-outputs"
ARGUMENTS = ("run_id", "retry_run_id", "retry_indicator", "log_level")
"""The arguments of every workflow."""
_RUN_ID = "{{workflow.parameters.run_id}}"
_KEY = (
    "{{=sprig.trunc(40, sprig.sha256sum(workflow.parameters.run_id == '' ? "
    "workflow.name : workflow.parameters.run_id))}}"
)
_MEMORY_OF = "720h"


class Place(NamedTuple):
    """Where a step is in the pipeline."""

    path: str
    """Of the graph that it is in, with placeholders; empty for the root."""
    numbers: tuple[str, ...] = ()
    """The inputs with the numbers of the branches that it is in, outermost first."""
    is_repeated: bool = False
    """Whether it is in a branch that runs more than once."""


class Containers:
    """Makes the container templates of a workflow.

    Args:
        request: The run.
        settings: Those of the executor.
        mounts: The folders of the stores.
    """

    def __init__(
        self, request: RenderRequest, settings: ArgoSettings, mounts: Sequence[Mount]
    ) -> None:
        self._request = request
        self._settings = settings
        self._mounts = [it for it in mounts if not self._is_mounted(it.here)]
        self._has_begun = False
        if self._mounts and not settings.pvc_for_runnable:
            folders = " and ".join(it.here for it in self._mounts)
            raise ConfigurationError(
                f"pods do not see {folders}: give the executor 'argo' a claim for them "
                "(pvc_for_runnable, or custom_volumes), or use stores such as postgres "
                "and s3"
            )

    def _is_mounted(self, folder: str) -> bool:
        path, volumes = PurePosixPath(folder), self._settings.custom_volumes
        return any(path.is_relative_to(it.mount_path) for it in volumes)

    def step(
        self, name: str, path: str, place: Place, task: object, override: str
    ) -> m.Template:
        """Make the template of a task, or of a stub.

        Args:
            name: Of the template.
            path: Of the step, with placeholders.
            place: Where it is.
            task: The task, if it is one.
            override: The block of overrides that it has chosen.
        """
        secrets = task.secrets if isinstance(task, BaseTaskType) else ()
        command = ["execute-single-node", self._definition, path]
        settings = self._settings.step_settings(override)
        # The pod that begins or resumes the run always runs.
        remembers = self._has_begun and not place.is_repeated
        template = self._template(name, command, place, settings, tuple(secrets))
        if self._settings.configmap_cache_name and remembers:
            cache = m.LocalObjectReference(name=self._settings.configmap_cache_name)
            template.memoize = m.Memoize(
                key=f"{_KEY}-{name}",
                max_age=_MEMORY_OF,
                cache=m.Cache(config_map=cache),
            )
        return template

    def fan(
        self, name: str, path: str, place: Place, direction: str, output: str = ""
    ) -> m.Template:
        """Make the template that begins the branches of a step, or ends them.

        Args:
            name: Of the template.
            path: Of the step, with placeholders.
            place: Where it is.
            direction: `out` or `in`.
            output: The output parameter, if it has one.
        """
        command = ["fan", path, self._definition, direction]
        settings = self._settings.step_settings()
        return self._template(name, command, place, settings, output=output)

    def end(self, name: str, place: Place) -> m.Template:
        """Make the template that records the end of a branch, or of the run.

        Args:
            name: Of the template.
            place: What ends.
        """
        command = ["end", self._definition]
        if place.path:
            command.append(place.path)
        settings = self._settings.step_settings()
        return self._template(name, command, place, settings)

    def _template(
        self,
        name: str,
        command: Sequence[str],
        place: Place,
        settings: StepSettings,
        secrets: Sequence[str] = (),
        *,
        output: str = "",
    ) -> m.Template:
        begins = not self._has_begun and command[0] != "end"
        self._has_begun = self._has_begun or begins
        names = [*command, *self._given_options()]
        given = ["runnable", command[0], _RUN_ID, *arguments(names[1:])]
        options = [*self._options(command[0], place, begins=begins)]
        if output:
            options.append(f"--output={_file(output)}")
        return m.Template(
            name=name,
            inputs=_inputs(place),
            outputs=_outputs(output),
            container=m.Container(
                image=settings.image,
                command=[*given, *options],
                image_pull_policy=settings.image_pull_policy,
                env=[*self._variables(settings, secrets, begins=begins)],
                resources=_resources(settings.resources),
                volume_mounts=[*self._volume_mounts(output)] or None,
            ),
            active_deadline_seconds=m.IntOrString(
                root=settings.active_deadline_seconds
            ),
            node_selector=settings.node_selector or None,
            retry_strategy=_retries(
                settings.retry_strategy
                or self._settings.argo_workflow.spec.retry_strategy,
                is_step=command[0] == "execute-single-node",
            ),
            timeout=settings.timeout or None,
            tolerations=tolerations(settings.tolerations),
        )

    @property
    def _definition(self) -> str:
        return self._request.reference.definition

    def _given_options(self) -> Iterator[str]:
        request = self._request
        yield f"--mode={request.reference.mode}"
        if request.configuration_file:
            yield f"--config={request.configuration_file}"
        yield from request.label_options
        yield from (f"--argument={it}" for it in request.reference.arguments)

    def _options(self, command: str, place: Place, *, begins: bool) -> Iterator[str]:
        yield "--log-level={{workflow.parameters.log_level}}"
        if command != "end":
            yield "--in-order"
            if not begins:
                yield "--join-only"
        if place.numbers:
            numbers = [f"{{{{inputs.parameters.{it}}}}}" for it in place.numbers]
            yield f'--iter-variable={{"branch_numbers":[{",".join(numbers)}]}}'

    def _variables(
        self, settings: StepSettings, secrets: Iterable[str], *, begins: bool
    ) -> Iterator[m.EnvVar]:
        plain = {
            defaults.RETRY_RUN_ID: "{{workflow.parameters.retry_run_id}}",
            defaults.RETRY_INDICATOR: "{{workflow.parameters.retry_indicator}}",
            defaults.ENV_RUN_ID: "{{workflow.name}}",
            defaults.CODE_IDS["argo"]: "{{workflow.uid}}",
            **variables_of(self._mounts, ()),
        }
        if begins:
            plain |= self._first_variables()
        yield from (m.EnvVar(name=name, value=it) for name, it in plain.items())
        for name in secrets:
            if self._settings.secret_from_k8s:
                yield _reference(name, self._settings.secret_from_k8s, name)
        yield from (_variable(it) for it in settings.env)

    def _first_variables(self) -> dict[str, str]:
        """Return the variables of the pod that begins the run."""
        made, exposed = {defaults.MUST_BE_NEW: "true"}, self.exposed()
        packed: dict[str, AnyParameter] = {}
        for name, parameter in self._request.parameters.items():
            shown = self._shown(name)
            if name in exposed:
                shown = f"{{{{workflow.parameters.{name}}}}}"
            if shown is None:
                packed[name] = parameter
            else:
                made[defaults.PARAMETER_PREFIX + name] = shown
        return made | packed_variables(packed)

    def _shown(self, name: str) -> str | None:
        """Return the text of a parameter that a variable has; none if it has none."""
        alike = [it for it in self._request.parameters if it.lower() == name.lower()]
        parameter = self._request.parameters[name]
        return shown_text(name, parameter) if len(alike) == 1 else None

    def exposed(self) -> Mapping[str, str]:
        """Return the arguments of the workflow that are parameters of the run."""
        if not self._settings.expose_parameters_as_inputs:
            return {}
        texts = {
            name: self._shown(name)
            for name, it in self._request.parameters.items()
            if not isinstance(it.value, dict | list) and name not in ARGUMENTS
        }
        return {name: it for name, it in texts.items() if it is not None}

    def _volume_mounts(self, output: str) -> Iterator[m.VolumeMount]:
        if self._settings.pvc_for_runnable:
            yield m.VolumeMount(name=STORES, mount_path="/tmp")  # noqa: S108 - in the pod, as version 0.50 has it
        for number, it in enumerate(self._settings.custom_volumes):
            yield m.VolumeMount(
                name=f"custom-volume-{number}",
                mount_path=it.mount_path,
                read_only=it.persistent_volume_claim.read_only,
            )
        if output:
            yield m.VolumeMount(name=OUTPUTS, mount_path=OUTPUT_FOLDER)


def _file(output: str) -> str:
    return f"{OUTPUT_FOLDER}/{output}.json"


def _outputs(output: str) -> m.Outputs | None:
    if not output:
        return None
    value = m.ValueFrom(path=_file(output))
    return m.Outputs(parameters=[m.Parameter(name=output, value_from=value)])


def _inputs(place: Place) -> m.Inputs | None:
    parameters = [m.Parameter(name=it) for it in place.numbers]
    return m.Inputs(parameters=parameters) if parameters else None


def _reference(name: str, secret: str, key: str) -> m.EnvVar:
    selector = m.SecretKeySelector(name=secret, key=key)
    return m.EnvVar(name=name, value_from=m.EnvVarSource(secret_key_ref=selector))


def _variable(it: Variable) -> m.EnvVar:
    if it.value is None:
        return _reference(it.name, it.secret_name, it.secret_key)
    return m.EnvVar(name=it.name, value=arguments([it.value])[0])


def _resources(resources: Resources) -> m.ResourceRequirements:
    def amounts(values: Mapping[str, object]) -> dict[str, m.Quantity]:
        # As texts: 0.5 and 1 are amounts as well.
        all_of_them = {**USUAL_AMOUNTS, **values}
        return {
            name: m.Quantity(root=str(it))
            for name, it in all_of_them.items()
            if it is not None
        }

    limits, requests = amounts(resources.limits), amounts(resources.requests)
    return m.ResourceRequirements(limits=limits, requests=requests)


def _retries(
    strategy: RetryStrategy | None, *, is_step: bool
) -> m.RetryStrategy | None:
    if strategy is None or not strategy.limit:
        return None
    backoff = strategy.back_off
    return m.RetryStrategy(
        limit=m.IntOrString(root=strategy.limit),
        retry_policy=strategy.retry_policy,
        # Others fail because a step has failed: that does not change.
        expression=None if is_step else "lastRetry.exitCode != '1'",
        backoff=m.Backoff(
            duration=backoff.duration,
            factor=m.IntOrString(root=backoff.factor),
            max_duration=backoff.max_duration,
        ),
    )


def tolerations(wanted: Sequence[Toleration]) -> list[m.Toleration] | None:
    """Return tolerations as Argo has them; None for none."""
    return [m.Toleration(**it.model_dump(exclude_none=True)) for it in wanted] or None


def volumes(settings: ArgoSettings) -> list[m.Volume]:
    """Return the volumes of every pod: claims, and a folder for outputs.

    Args:
        settings: Those of the executor.
    """
    made = [m.Volume(name=OUTPUTS, empty_dir=m.EmptyDirVolumeSource())]
    if claim := settings.pvc_for_runnable:
        source = m.PersistentVolumeClaimVolumeSource(claim_name=claim)
        made.append(m.Volume(name=STORES, persistent_volume_claim=source))
    for number, it in enumerate(settings.custom_volumes):
        named = it.persistent_volume_claim
        source = m.PersistentVolumeClaimVolumeSource(
            claim_name=named.claim_name, read_only=named.read_only
        )
        name = f"custom-volume-{number}"
        made.append(m.Volume(name=name, persistent_volume_claim=source))
    return made


def json_of(model: m.Workflow | m.CronWorkflow) -> dict[str, object]:
    """Return a manifest as the values that its text has."""
    text = model.model_dump_json(by_alias=True, exclude_none=True)
    made: dict[str, object] = json.loads(text)
    return made
