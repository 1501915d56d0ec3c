"""The command that runs a step, or a job, in another process."""

import sys
from collections.abc import Iterator, Sequence

from runnable.executor.execution import StepRequest

RUNNABLE = (sys.executable, "-m", "runnable.cli")
"""The command line of this package, with this interpreter."""


def arguments_of(request: StepRequest) -> Sequence[str]:
    """Return the arguments of `runnable` that run a step, or a job.

    Args:
        request: The step.

    Example:
        >>> from runnable.executor import PipelineReference
        >>> reference = PipelineReference("yaml", "flow.yaml")
        >>> arguments_of(StepRequest("r1", reference, "fit"))[:3]
        ['execute-single-node', 'r1', 'flow.yaml']
    """
    reference, run_id = request.reference, request.run_id
    if request.job:
        what = ["execute-job", reference.definition, run_id, f"--job={request.job}"]
    else:
        what = ["execute-single-node", run_id, reference.definition, request.path]
        what += [f"--mode={reference.mode}", "--join-only"]
    return [*what, *_options(request)]


def _options(request: StepRequest) -> Iterator[str]:
    options = {
        "--config": request.configuration_file,
        "--parameters": request.parameters_file,
        "--log-level": request.log_level or "WARNING",
    }
    yield from (f"{name}={value}" for name, value in options.items() if value)
    yield from request.label_options
    yield from (f"--argument={it}" for it in request.reference.arguments)
    yield from (f"--import-path={it}" for it in request.reference.import_path)
