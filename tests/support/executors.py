"""The configuration of every executor, for pipelines that run on all of them."""

from tests.support import clusters, docker_service, kubernetes_cluster


def executor_of(kind, folder):
    """Return the executor of a kind, as a configuration.

    Args:
        kind: Its kind, `docker` and `podman` among them.
        folder: Containers see it, at its own path.
    """
    root = str(docker_service.ROOT)
    match kind:
        case "threads":
            return {"type": "local"}
        case "processes":
            return {"type": "local", "config": {"parallelism": "process"}}
        case "emulator":
            return {"type": "emulator"}
        case "dask" | "ray":
            return clusters.executor(kind)
        case "docker" | "podman":
            config = {
                "docker_host": docker_service.service(kind),
                "docker_image": docker_service.IMAGE,
                "network": "none",
                "working_dir": "/tmp",
                "environment": {"PYTHONPATH": root},
                "volumes": [*docker_service.volumes(), f"{folder}:{folder}"],
            }
            return {"type": "local-container", "config": config}
        case "kubernetes":
            return {"type": "kubernetes", "config": _kubernetes(root, folder)}
    raise AssertionError(kind)


def _kubernetes(root, folder):
    volumes, mounts = kubernetes_cluster.volumes(f"{folder}:{folder}")
    return {
        "image": kubernetes_cluster.IMAGE,
        "imagePullPolicy": "Never",
        "config_path": kubernetes_cluster.kubeconfig(),
        "stores_on_host": True,
        "working_dir": "/tmp",
        "env": {"PYTHONPATH": root},
        "volumes": volumes,
        "volume_mounts": mounts,
    }
