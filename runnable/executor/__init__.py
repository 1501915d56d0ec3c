"""Executors: where the steps of a pipeline, or a job, are run."""

from runnable.executor.base import (
    BaseJobExecutor,
    BasePipelineExecutor,
    job_digest,
)

__all__ = ["BaseJobExecutor", "BasePipelineExecutor", "job_digest"]
