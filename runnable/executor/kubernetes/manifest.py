"""The Job of a step, as Kubernetes wants it."""

import hashlib
import uuid
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from runnable.events.telemetry import carried_environment
from runnable.executor.execution import StepRequest
from runnable.executor.kubernetes.settings import Placement, PodSettings
from runnable.executor.kubernetes.texts import command_of, variables_of_container
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
    plain = {**settings.env, **carried_environment(), **variables_of(mounts, ())}
    stores = store_volumes(placement.stores_claim, mounts)
    container = {
        "name": "step",
        "image": settings.image,
        "imagePullPolicy": settings.image_pull_policy,
        "command": command_of(request),
        "env": variables_of_container(plain, request.secrets, settings.secret_from_k8s),
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
