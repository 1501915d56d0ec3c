"""The Job, or the CronJob, of a job, as Kubernetes wants it."""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from runnable import defaults
from runnable.executor.execution import StepRequest
from runnable.executor.kubernetes.job_settings import JobSettings, Variable
from runnable.executor.kubernetes.manifest import once
from runnable.executor.kubernetes.texts import (
    command_of,
    literal,
    variables_of_container,
)
from runnable.executor.mounts import Mount, variables_of

_LONGEST = 52  # what a CronJob starts gets eleven characters more
_OTHER = re.compile(r"[^a-z0-9]+")


def job_manifest(
    request: StepRequest,
    settings: JobSettings,
    volumes: Sequence[Mapping[str, Any]],
    mounts: Sequence[Mount],
    pull_policy: str,
) -> dict[str, Any]:
    """Return the Job of a job; with a schedule, the CronJob that starts it.

    Args:
        request: The job.
        settings: Those of the executor.
        volumes: For each folder of the stores, a volume and where it is mounted.
        mounts: The folders of the stores.
        pull_policy: Of the image, if the settings have none.
    """
    spec = settings.job_spec.template.spec
    named = valid_name(request.run_id)
    if settings.schedule:
        # Each start is a run of its own, named as its Job.
        request = request._replace(run_id="")
    wanted = spec.container
    container: dict[str, Any] = {
        "name": "default",
        "image": wanted.image,
        "imagePullPolicy": wanted.image_pull_policy or pull_policy,
        "command": command_of(request, "--again"),
        "env": [*_variables(request, settings, mounts)],
        "resources": wanted.resources.described(),
        "volumeMounts": [
            *(it["mount"] for it in volumes),
            *map(_written, wanted.volume_mounts),
        ],
    }
    if wanted.working_dir:
        container["workingDir"] = wanted.working_dir
    pod = _written(spec)
    own = [*once(it["volume"] for it in volumes), *pod["volumes"]]
    job = _job(settings, {**pod, "volumes": own, "containers": [container]})
    if settings.schedule:
        return _scheduled(named, settings, job)
    about = {"name": named, "annotations": {"runnable/run-id": request.run_id}}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": about, "spec": job}


def _written(model: BaseModel) -> dict[str, Any]:
    """Return settings as Kubernetes spells them, but for the container."""
    return model.model_dump(by_alias=True, exclude_none=True, exclude={"container"})


def _job(settings: JobSettings, pod: dict[str, Any]) -> dict[str, Any]:
    wanted = settings.job_spec
    metadata = wanted.template.metadata.model_dump(by_alias=True, exclude_defaults=True)
    job: dict[str, Any] = {
        "backoffLimit": wanted.backoff_limit,
        "activeDeadlineSeconds": wanted.active_deadline_seconds,
        "ttlSecondsAfterFinished": wanted.ttl_seconds_after_finished,
        "template": {"metadata": metadata, "spec": pod},
    }
    if wanted.selector is not None:
        selector = wanted.selector.model_dump(by_alias=True, exclude_defaults=True)
        job |= {"selector": selector, "manualSelector": True}
    return job


def _scheduled(name: str, settings: JobSettings, job: dict[str, Any]) -> dict[str, Any]:
    spec: dict[str, Any] = {
        "schedule": settings.schedule,
        "jobTemplate": {"spec": job},
    }
    if settings.timezone:
        spec["timeZone"] = settings.timezone
    version = "batch/v1"
    about = {"name": name}
    return {"apiVersion": version, "kind": "CronJob", "metadata": about, "spec": spec}


def valid_name(text: str) -> str:
    """Return a name that Kubernetes accepts, the same for the same text.

    Args:
        text: Anything, such as a run id.

    Example:
        >>> valid_name("brave-noether"), valid_name("My_run")
        ('brave-noether', 'my-run-45e51d')
    """
    name = _OTHER.sub("-", text.lower()).strip("-")
    if name == text and len(name) <= _LONGEST:
        return name
    digest = hashlib.sha256(text.encode()).hexdigest()[:6]
    return f"{name[: _LONGEST - 7].strip('-') or 'job'}-{digest}"


def _variables(
    request: StepRequest, settings: JobSettings, mounts: Sequence[Mount]
) -> Iterator[dict[str, Any]]:
    if settings.schedule:
        job = {"fieldRef": {"fieldPath": "metadata.labels['job-name']"}}
        yield {"name": defaults.ENV_RUN_ID, "valueFrom": job}
    values = {**variables_of(mounts, ()), **request.variables}
    secret = settings.secret_from_k8s
    yield from variables_of_container(values, request.secrets, secret)
    for it in settings.job_spec.template.spec.container.env:
        yield _variable(it)


def _variable(it: Variable) -> dict[str, Any]:
    if it.value_from is not None:
        return {"name": it.name, "valueFrom": it.value_from}
    return {"name": it.name, "value": literal(it.value or "")}
