"""Run logs: how records are stored, and how people and programs read them."""

from typing import TYPE_CHECKING

from runnable.datastore.code_versions import CodeVersions
from runnable.datastore.packed_records import PackedRecords
from runnable.datastore.parameters import (
    CatalogLoader,
    ObjectParameter,
    Parameter,
    PickledParameter,
)
from runnable.datastore.run_log import RunLog
from runnable.datastore.run_log_view import (
    RunLogView,
    recorded_run_log,
    run_log_of,
)
from runnable.datastore.run_summary import RunSummary, Wanted
from runnable.datastore.step_logs import BranchLog, JobLog, StepAttempt, StepLog
from runnable.datastore.store import BaseRunLogStore, Journal
from runnable.earlier_names import earlier_name
from runnable.journal import (
    AnyParameter,
    BranchFinished,
    BranchStarted,
    CodeIdentity,
    DataCatalog,
    Heartbeat,
    JsonParameter,
    MetricParameter,
    ObjectLoader,
    Record,
    RunDeleting,
    RunFinished,
    RunResumed,
    RunStarted,
    RunState,
    StepClaimed,
    StepFinished,
    StepReleased,
    StepStarted,
)

__all__ = [
    "AnyParameter",
    "BaseRunLogStore",
    "BranchFinished",
    "BranchLog",
    "BranchStarted",
    "CatalogLoader",
    "CodeIdentity",
    "CodeVersions",
    "DataCatalog",
    "Heartbeat",
    "JobLog",
    "Journal",
    "JsonParameter",
    "MetricParameter",
    "ObjectLoader",
    "ObjectParameter",
    "PackedRecords",
    "Parameter",
    "PickledParameter",
    "Record",
    "RunDeleting",
    "RunFinished",
    "RunLog",
    "RunLogView",
    "RunResumed",
    "RunStarted",
    "RunState",
    "RunSummary",
    "StepAttempt",
    "StepClaimed",
    "StepFinished",
    "StepLog",
    "StepReleased",
    "StepStarted",
    "Wanted",
    "recorded_run_log",
    "run_log_of",
]


if not TYPE_CHECKING:  # a checker reports names that are not there

    def __getattr__(name: str) -> object:
        return earlier_name(__name__, name)
