"""Run steps and jobs as Jobs of Kubernetes."""

from runnable.executor.kubernetes.executor import KubernetesExecutor
from runnable.executor.kubernetes.jobs import (
    KubernetesJobExecutor,
    MiniKubernetesJobExecutor,
)

__all__ = ["KubernetesExecutor", "KubernetesJobExecutor", "MiniKubernetesJobExecutor"]
