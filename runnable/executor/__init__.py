"""Executors: where the steps of a pipeline, or a job, are run."""

from runnable.executor.base import BaseJobExecutor, BasePipelineExecutor

__all__ = ["BaseJobExecutor", "BasePipelineExecutor"]
