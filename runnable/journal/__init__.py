"""The records of a run, and the state that they add up to; pure, without I/O."""

from runnable.journal.commands import Command, Reuse, RunNode
from runnable.journal.identities import CodeIdentity, DataCatalog
from runnable.journal.ownership import Claim, Owner, Ownership
from runnable.journal.parameters import (
    AnyParameter,
    JsonParameter,
    MetricParameter,
    ObjectLoader,
    StoredObject,
    describe_object,
    describe_value,
    json_parameter,
    metric_parameter,
)
from runnable.journal.records import (
    NO_METRICS,
    NO_TAGS,
    BranchFinished,
    BranchStarted,
    Heartbeat,
    Record,
    RunDeleting,
    RunFinished,
    RunResumed,
    RunStarted,
    StepClaimed,
    StepFinished,
    StepReleased,
    StepStarted,
    sums_up,
)
from runnable.journal.scope_tree import Retention, ScopeState, StepState
from runnable.journal.state import RunState, UnknownPathError
from runnable.journal.traversal import Finish, Outcome, diagram
from runnable.journal.value_size import is_longer
from runnable.journal.view import RunView

__all__ = [
    "NO_METRICS",
    "NO_TAGS",
    "AnyParameter",
    "BranchFinished",
    "BranchStarted",
    "Claim",
    "CodeIdentity",
    "Command",
    "DataCatalog",
    "Finish",
    "Heartbeat",
    "JsonParameter",
    "MetricParameter",
    "ObjectLoader",
    "Outcome",
    "Owner",
    "Ownership",
    "Record",
    "Retention",
    "Reuse",
    "RunDeleting",
    "RunFinished",
    "RunNode",
    "RunResumed",
    "RunStarted",
    "RunState",
    "RunView",
    "ScopeState",
    "StepClaimed",
    "StepFinished",
    "StepReleased",
    "StepStarted",
    "StepState",
    "StoredObject",
    "UnknownPathError",
    "describe_object",
    "describe_value",
    "diagram",
    "is_longer",
    "json_parameter",
    "metric_parameter",
    "sums_up",
]
