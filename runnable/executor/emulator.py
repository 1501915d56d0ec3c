"""Run every step in a process of its own, by the commands that a cluster would use."""

import sys
from collections.abc import Mapping, Sequence

from runnable import defaults
from runnable.context import RunContext
from runnable.datastore import AnyParameter, RunLog
from runnable.engine import ByCommand, CommandProcess, Conditions, Runtime, script
from runnable.exceptions import (
    ConfigurationError,
    ExecutionFailedError,
    RunLogNotFoundError,
)
from runnable.executor.base import (
    BaseJobExecutor,
    BasePipelineExecutor,
    job_digest,
)
from runnable.executor.here import run_here, services_of_run
from runnable.executor.local import RunsHere
from runnable.graph import ONE_ATTEMPT, CatalogSettings, Graph, Overlap, Policy
from runnable.tasks import BaseTaskType, Call


class EmulatorExecutor(RunsHere, BasePipelineExecutor):
    """Runs every task in a process of its own, by `runnable execute-single-node`.

    What works so works where nothing but a command and the stores are shared. It needs
    a pipeline in a YAML file, or in a script that is run.
    """

    service_name: str = "emulator"

    async def execute_graph(
        self,
        graph: Graph,
        parameters: Mapping[str, AnyParameter],
        runtime: Runtime,
    ) -> RunLog:
        """Run a pipeline here, and its tasks in processes of their own."""
        command = _Command(_shared_context())
        conditions = Conditions(
            Overlap("thread"),
            self.console,
            self.workspace,
            elsewhere=ByCommand(command.for_step),
        )
        return await run_here(graph, parameters, runtime, conditions=conditions)


class EmulatorJobExecutor(RunsHere, BaseJobExecutor):
    """Runs the task of a job in a process of its own, by `runnable execute-job`."""

    service_name: str = "emulator"

    async def submit_job(
        self,
        job: BaseTaskType,
        catalog_settings: CatalogSettings,
        parameters: Mapping[str, AnyParameter],
        runtime: Runtime,
        policy: Policy = ONE_ATTEMPT,
    ) -> RunLog:
        """Have a process run the job, and wait for its end."""
        del parameters, policy  # the process makes its own
        context = _shared_context()
        _, services = services_of_run()
        digest = job_digest(job, catalog_settings)
        process = CommandProcess(_Command(context).for_job(digest))
        status = await runtime.invoke(Call(process.run, stop=process.stop))
        reason = f"its process ended with status {status}"
        try:
            run_log = services.run_log_store.get_run_log_by_id(context.run_id)
        except RunLogNotFoundError:
            raise ExecutionFailedError(context.run_id, None, reason) from None
        if status or run_log.status != defaults.SUCCESS:
            raise ExecutionFailedError(context.run_id, run_log, reason)
        return run_log


def _shared_context() -> RunContext:
    context, services = services_of_run()
    store = services.run_log_store
    if not store.is_shared or getattr(store, "durability", "") == "none":
        problem = (
            "the emulator runs steps in processes of their own, which cannot see a run "
            "log store in memory, nor one with `durability: none`; use file-system, "
            "sqlite or another one, with `durability: process`"
        )
        raise ConfigurationError(problem)
    return context


class _Command:
    """Makes the commands for the parts of a run.

    Args:
        context: That of the run.
    """

    def __init__(self, context: RunContext) -> None:
        self._context = context
        file = getattr(context, "pipeline_definition_file", "")
        self._mode = "yaml" if context.execution_mode == "yaml" else "python"
        self._definition = file or script()
        if not self._definition:
            problem = (
                "the emulator needs a pipeline in a YAML file, or in a script that is "
                "run, as `python FILE`: a process of its own reads it again"
            )
            raise ConfigurationError(problem)

    def for_step(self, path: str) -> Sequence[str]:
        """Return the command for a step."""
        return [
            *_RUNNABLE,
            "execute-single-node",
            self._context.run_id,
            self._definition,
            path,
            f"--mode={self._mode}",
            "--join-only",
            *self._options(),
        ]

    def for_job(self, digest: str) -> Sequence[str]:
        """Return the command for a job."""
        job = (self._definition, self._context.run_id, f"--job={digest}")
        return [*_RUNNABLE, "execute-job", *job, *self._options()]

    def _options(self) -> Sequence[str]:
        context = self._context
        said = {
            "--config": context.configuration_file,
            "--parameters": context.parameters_file,
            "--tag": context.tag,
            "--log-level": context.log_level or "WARNING",
        }
        options = [f"{name}={value}" for name, value in said.items() if value]
        if self._mode == "python":
            # A script may have to be told which pipeline it is about.
            options += [f"--argument={it}" for it in sys.argv[1:]]
        return options


_RUNNABLE = (sys.executable, "-m", "runnable.cli")
