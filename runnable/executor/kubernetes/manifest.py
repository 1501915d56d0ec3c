"""The Job of a step, as Kubernetes wants it."""

import hashlib
import uuid
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from runnable.events.telemetry import carried_environment
from runnable.executor.commands import arguments_of
from runnable.executor.execution import StepRequest
from runnable.executor.kubernetes.settings import Placement, PodSettings
from runnable.executor.mounts import Mount, variables_of


def manifest(
    request: StepRequest,
    settings: PodSettings,
    placement: Placement,
    mounts: Sequence[Mount],
) -> dict[str, Any]:
    """Return the Job of a step; no value of the run is in it but names.

    Args:
        request: The step.
        settings: Those of its Job.
        placement: Where the stores are.
        mounts: Their folders.
    """
    name = f"runnable-{uuid.uuid4().hex[:20]}"
    run = hashlib.sha256(request.run_id.encode()).hexdigest()[:16]
    about = {
        "labels": {"runnable/run": run},
        "annotations": {
            "runnable/run-id": request.run_id,
            "runnable/step": request.path,
        },
    }
    reference = request.reference._replace(import_path=())
    command = arguments_of(request._replace(reference=reference))
    stores = store_volumes(placement.stores_claim, mounts)
    container = {
        "name": "step",
        "image": settings.image,
        "imagePullPolicy": settings.image_pull_policy,
        # As Kubernetes replaces $(NAME), and $$.
        "command": [it.replace("$", "$$") for it in ["runnable", *command]],
        "env": _variables(request, settings, mounts),
        "resources": settings.resources.model_dump(exclude_defaults=True),
        "volumeMounts": [*(it["mount"] for it in stores), *settings.volume_mounts],
    }
    if settings.working_dir:
        container["workingDir"] = settings.working_dir
    pod = {
        "restartPolicy": "Never",
        "serviceAccountName": settings.service_account_name,
        "nodeSelector": settings.node_selector,
        "tolerations": settings.tolerations,
        "enableServiceLinks": False,
        "containers": [container],
        "volumes": [*once(it["volume"] for it in stores), *settings.volumes],
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, **about},
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": settings.active_deadline_seconds,
            "ttlSecondsAfterFinished": settings.ttl_seconds_after_finished,
            "template": {"metadata": about, "spec": pod},
        },
    }


def _variables(
    request: StepRequest, settings: PodSettings, mounts: Sequence[Mount]
) -> list[dict[str, Any]]:
    plain = {**settings.env, **carried_environment(), **variables_of(mounts, ())}
    listed: list[dict[str, Any]] = [
        # As in a command: what looks like a reference to a variable is none.
        {"name": name, "value": value.replace("$", "$$")}
        for name, value in plain.items()
    ]
    if settings.secret_from_k8s:
        listed += [
            {
                "name": name,
                "valueFrom": {
                    "secretKeyRef": {"name": settings.secret_from_k8s, "key": name}
                },
            }
            for name in request.secrets
        ]
    return listed


def store_volumes(
    claim: str, mounts: Sequence[Mount]
) -> list[dict[str, dict[str, Any]]]:
    """Return a volume, and where it is mounted, for each folder of the stores.

    Args:
        claim: The claim that has them; folders of the node if empty.
        mounts: The folders.
    """
    made: list[dict[str, dict[str, Any]]] = []
    for it in mounts:
        mount: dict[str, Any] = {"mountPath": it.there.rstrip("/")}
        if claim:
            source = {"claimName": claim}
            volume = {"name": "stores", "persistentVolumeClaim": source}
            mount |= {"name": "stores", "subPath": Path(it.there).name}
        else:
            name = it.kind.replace("_", "-")
            source = {"path": it.here, "type": "DirectoryOrCreate"}
            volume = {"name": name, "hostPath": source}
            mount["name"] = name
        made.append({"volume": volume, "mount": mount})
    return made


def once(volumes: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return volumes, those of equal names once.

    Args:
        volumes: As a pod has them.
    """
    return [dict(it) for it in {it["name"]: it for it in volumes}.values()]
