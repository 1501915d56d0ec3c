"""Run logs: their records, what they amount to, and where they are kept."""

from runnable.datastore.code_versions import CodeVersion, CodeVersions
from runnable.datastore.fold import Fold, fold
from runnable.datastore.parameters import (
    AnyParameter,
    JsonParameter,
    MetricParameter,
    ObjectLoader,
    ObjectParameter,
    Parameter,
    PickledParameter,
)
from runnable.datastore.records import (
    BranchFinished,
    BranchStarted,
    Heartbeat,
    PartFinished,
    PartStarted,
    Record,
    RunDeleting,
    RunFinished,
    RunResumed,
    RunStarted,
    StepFinished,
    StepStarted,
)
from runnable.datastore.run_log import (
    BranchLog,
    CodeIdentity,
    DataCatalog,
    JobLog,
    RunLog,
    StepAttempt,
    StepLog,
)
from runnable.datastore.run_summary import RunSummary, Wanted
from runnable.datastore.store import BaseRunLogStore, Journal

__all__ = [
    "AnyParameter",
    "BaseRunLogStore",
    "BranchFinished",
    "BranchLog",
    "BranchStarted",
    "CodeIdentity",
    "CodeVersion",
    "CodeVersions",
    "DataCatalog",
    "Fold",
    "Heartbeat",
    "JobLog",
    "Journal",
    "JsonParameter",
    "MetricParameter",
    "ObjectLoader",
    "ObjectParameter",
    "Parameter",
    "PartFinished",
    "PartStarted",
    "PickledParameter",
    "Record",
    "RunDeleting",
    "RunFinished",
    "RunLog",
    "RunResumed",
    "RunStarted",
    "RunSummary",
    "StepAttempt",
    "StepFinished",
    "StepLog",
    "StepStarted",
    "Wanted",
    "fold",
]
