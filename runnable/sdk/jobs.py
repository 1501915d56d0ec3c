"""Jobs: one task, run on its own and tracked like a pipeline."""

from typing import TYPE_CHECKING, Self, Unpack

from pydantic import ConfigDict, model_validator

from runnable.errors import DefinitionError
from runnable.graph import NO_FILES, Graph, JobNode, Need
from runnable.sdk.run_options import RunOptions, asked, takes_run_options
from runnable.sdk.run_request import RunRequest
from runnable.sdk.task_options import (
    NotebookSettings,
    PythonSettings,
    ShellSettings,
    TaskSettings,
)

if TYPE_CHECKING:
    # Whoever only defines a job needs none of what runs it.
    from runnable.datastore import RunLog


class Job(TaskSettings):
    """One task; each kind of task is a subclass.

    Any other keyword is ignored, so that a step can be turned into a job by its class's
    name alone. A job fetches no files: nothing has run before it.
    """

    model_config = ConfigDict(
        extra="ignore", arbitrary_types_allowed=True, defer_build=True
    )

    reference: str = ""
    """A function that returns or executes it, by which other processes find it; see
    `Pipeline`."""

    @model_validator(mode="after")
    def _fetches_nothing(self) -> Self:
        if self.catalog is not None and self.catalog.get:
            raise DefinitionError(
                "a job cannot get files from the catalog, since nothing has put them "
                "there; use put alone"
            )
        return self

    def _request(self) -> RunRequest:
        """Return a pipeline of one step, which nothing follows."""
        task = self.make_task()
        node = JobNode(
            name="job",
            next_node="",
            task=task,
            catalog=self.catalog.settings() if self.catalog else NO_FILES,
            policy=self.policy(),
        )
        needs = [
            Need("", name, task.command, hint=task.hint) for name in task.required()
        ]
        graph = Graph("job", {"job": node})
        return RunRequest(graph=graph, needs=needs, reference=self.reference)

    @takes_run_options("job_id")
    def execute(self, *earlier: str, **options: Unpack[RunOptions]) -> "RunLog":
        """Run this job, and wait for its end.

        Args:
            earlier: The first of them, by position, as version 0.50 takes them;
                deprecated.
            options: See `runnable.sdk.run_options.RunOptions`.

        Returns:
            The log of the run; what happened is in its `job`.

        Raises:
            ExecutionFailedError: If the task failed; its exception is the cause.
            ParameterMissingError: If a parameter that it needs is not provided.
            ConfigurationError: If a file, key or value of the configuration is wrong.
            RunLogExistsError: If the id has been used.
        """
        given, container = asked(earlier, options)
        from runnable.sdk.start import execute

        return execute(self._request(), given, container)

    @takes_run_options("job_id")
    async def execute_async(
        self, *earlier: str, **options: Unpack[RunOptions]
    ) -> "RunLog":
        """Run this job without blocking the event loop; else as `execute`.

        Args:
            earlier: The first of them, by position, as version 0.50 takes them;
                deprecated.
            options: See `runnable.sdk.run_options.RunOptions`.

        Returns:
            The log of the run.

        Raises:
            ExecutionFailedError: If the task failed.
        """
        given, container = asked(earlier, options)
        from runnable.sdk.start import execute_async

        return await execute_async(self._request(), given, container)


class PythonJob(PythonSettings, Job):
    """Calls a function, tracked; see `PythonTask`.

    Example:
        >>> def double(x: int) -> int:
        ...     return 2 * x
        >>> in_memory = {"run_log_store": {"type": "memory"},
        ...              "catalog": {"type": "do-nothing"}}
        >>> run_log = PythonJob(function=double, returns=["y"]).execute(
        ...     parameters={"x": 21}, services=in_memory)
        >>> run_log.job.status, run_log.parameters["y"].value
        ('SUCCESS', 42)
    """


class ShellJob(ShellSettings, Job):
    """Runs a command with `/bin/sh`, tracked; see `ShellTask`.

    Example:
        >>> ShellJob(command="export x=1", returns=["x"]).command_type
        'shell'
    """


class NotebookJob(NotebookSettings, Job):
    """Runs a notebook, tracked; see `NotebookTask`.

    Example:
        >>> NotebookJob(notebook="report.ipynb").command_type
        'notebook'
    """
