"""Run steps and jobs as Jobs of Kubernetes."""

from runnable.executor.kubernetes.executor import KubernetesExecutor

__all__ = ["KubernetesExecutor"]
