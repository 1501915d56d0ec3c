"""The engine: executes the graph of a pipeline, records each step, resumes runs."""

from runnable.engine.earlier_inputs import EarlierInputs, earlier_inputs
from runnable.engine.environment import Shared, shared_of_container
from runnable.engine.launching import (
    check_launching,
    job_digest,
    launch_job,
    not_run,
)
from runnable.engine.opening import deletion_record, learn_secrets
from runnable.engine.process_identity import command_of, other_owner, owner_has_crashed
from runnable.engine.rendering import Manifest, render
from runnable.engine.run import run
from runnable.engine.runtimes import (
    CallInterrupted,
    InlineRuntime,
    LoopRuntime,
    RunningCall,
    Runtime,
    run_by_hand,
)
from runnable.engine.single_step.address import Iteration, StepName
from runnable.engine.single_step.attach import attached
from runnable.engine.single_step.single_step import (
    OpenBranch,
    SingleStep,
    SingleStepResult,
)
from runnable.engine.slots import with_slots
from runnable.engine.step_limits import limit_problems
from runnable.engine.steps.values import json_parameters

__all__ = [
    "CallInterrupted",
    "EarlierInputs",
    "InlineRuntime",
    "Iteration",
    "LoopRuntime",
    "Manifest",
    "OpenBranch",
    "RunningCall",
    "Runtime",
    "Shared",
    "SingleStep",
    "SingleStepResult",
    "StepName",
    "attached",
    "check_launching",
    "command_of",
    "deletion_record",
    "earlier_inputs",
    "job_digest",
    "json_parameters",
    "launch_job",
    "learn_secrets",
    "limit_problems",
    "not_run",
    "other_owner",
    "owner_has_crashed",
    "render",
    "run",
    "run_by_hand",
    "shared_of_container",
    "with_slots",
]
