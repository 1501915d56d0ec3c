"""Render pipelines as workflows of Argo, and run their steps in its pods."""

from runnable.executor.argo.executor import ArgoExecutor

__all__ = ["ArgoExecutor"]
