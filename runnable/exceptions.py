"""Every error that `runnable` raises on purpose.

The tree of their classes::

    RunnableError
    ├── DefinitionError            the author of a pipeline must act
    │   ├── SettingsError
    │   ├── GraphError             several findings about one graph
    │   │   └── ParameterTypeError
    │   ├── PipelineFileError      with the lines of the file
    │   ├── NodeNotFoundError, BranchNotFoundError
    │   └── NodeMethodCallError, TerminalNodeError
    ├── ConfigurationError         the operator must act
    │   ├── ServiceNotFoundError
    │   └── ParametersFileError
    ├── RunError                   this run cannot continue, or did not end well
    │   ├── ExecutionFailedError, ExecutionCancelledError
    │   ├── EngineBusyError        try again later
    │   ├── BindingError
    │   ├── BranchFailedError
    │   ├── BranchesFailedError    one group for all branches of a step
    │   ├── BranchingError
    │   ├── ReductionError
    │   ├── ParameterMissingError
    │   │   └── ParametersMissingError
    │   ├── ParameterUnknownError
    │   ├── StepTimeoutError
    │   ├── StreamEndError
    │   ├── WorkerError
    │   ├── ReturnsError, FieldMissingError
    │   ├── ValueNotStorableError
    │   ├── ValueTooLongError
    │   ├── ObjectNotPicklableError, ObjectNotLoadableError
    │   ├── CommandCallError
    │   ├── SecretNotFoundError
    │   ├── SecretValueError
    │   └── RetryValidationError
    └── StoreError                 something kept is missing, present or damaged
        ├── StoreAccessError, EarlierInputsError
        ├── RunLogExistsError, RunLogNotFoundError, RunLogDamagedError,
        │   RunLogContinuedError, RunUnderWayError, RunsNotDeletedError
        ├── StepLogNotFoundError, BranchLogNotFoundError, JobLogNotFoundError
        ├── AmbiguousRunIdError, ArtifactNotFoundError, OutputTypeError
        ├── EntityNotFoundError
        └── CatalogError
            └── ObjectDamagedError

Each class keeps what it is about in positional fields (so it survives pickling) and
renders its text when asked: what is wrong, where, and what to do.


Each class is defined next to what raises it, and imported when it is first used.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # The same names as below, where type checkers and editors see them.
    from runnable.catalog.errors import (
        CatalogError,
        ObjectDamagedError,
    )
    from runnable.concurrency.errors import (
        EngineBusyError,
    )
    from runnable.datastore.errors import (
        AmbiguousRunIdError,
        ArtifactNotFoundError,
        BranchLogNotFoundError,
        EarlierInputsError,
        EntityNotFoundError,
        JobLogNotFoundError,
        ObjectNotLoadableError,
        ObjectNotPicklableError,
        OutputTypeError,
        RetryValidationError,
        RunLogContinuedError,
        RunLogDamagedError,
        RunLogExistsError,
        RunLogNotFoundError,
        RunsNotDeletedError,
        RunUnderWayError,
        StepLogNotFoundError,
    )
    from runnable.engine.branch_errors import (
        BranchesFailedError,
        BranchFailedError,
        BranchingError,
    )
    from runnable.engine.errors import (
        ExecutionCancelledError,
        ExecutionFailedError,
        StepTimeoutError,
        WorkerError,
    )
    from runnable.errors import (
        ConfigurationError,
        DefinitionError,
        RunError,
        RunnableError,
        ServiceNotFoundError,
        StoreError,
        did_you_mean,
    )
    from runnable.graph.errors import (
        BranchNotFoundError,
        GraphError,
        NodeMethodCallError,
        NodeNotFoundError,
        ParameterTypeError,
        TerminalNodeError,
    )
    from runnable.parameters.errors import (
        BindingError,
        FieldMissingError,
        ParameterMissingError,
        ParametersMissingError,
        ParameterUnknownError,
        ReductionError,
        ReturnsError,
        ValueNotStorableError,
        ValueTooLongError,
    )
    from runnable.sdk.errors import SettingsError
    from runnable.secrets.errors import (
        SecretNotFoundError,
        SecretValueError,
    )
    from runnable.system.errors import (
        ParametersFileError,
        PipelineFileError,
        StoreAccessError,
    )
    from runnable.tasks.errors import (
        CommandCallError,
        StreamEndError,
    )

__all__ = [
    "AmbiguousRunIdError",
    "ArtifactNotFoundError",
    "BindingError",
    "BranchFailedError",
    "BranchLogNotFoundError",
    "BranchNotFoundError",
    "BranchesFailedError",
    "BranchingError",
    "CatalogError",
    "CommandCallError",
    "ConfigurationError",
    "DefinitionError",
    "EarlierInputsError",
    "EngineBusyError",
    "EntityNotFoundError",
    "ExecutionCancelledError",
    "ExecutionFailedError",
    "FieldMissingError",
    "GraphError",
    "JobLogNotFoundError",
    "NodeMethodCallError",
    "NodeNotFoundError",
    "ObjectDamagedError",
    "ObjectNotLoadableError",
    "ObjectNotPicklableError",
    "OutputTypeError",
    "ParameterMissingError",
    "ParameterTypeError",
    "ParameterUnknownError",
    "ParametersFileError",
    "ParametersMissingError",
    "PipelineFileError",
    "ReductionError",
    "RetryValidationError",
    "ReturnsError",
    "RunError",
    "RunLogContinuedError",
    "RunLogDamagedError",
    "RunLogExistsError",
    "RunLogNotFoundError",
    "RunUnderWayError",
    "RunnableError",
    "RunsNotDeletedError",
    "SecretNotFoundError",
    "SecretValueError",
    "ServiceNotFoundError",
    "SettingsError",
    "StepLogNotFoundError",
    "StepTimeoutError",
    "StoreAccessError",
    "StoreError",
    "StreamEndError",
    "TerminalNodeError",
    "ValueNotStorableError",
    "ValueTooLongError",
    "WorkerError",
    "did_you_mean",
]

_HOMES = {
    "runnable.catalog.errors": [
        "CatalogError",
        "ObjectDamagedError",
    ],
    "runnable.concurrency.errors": [
        "EngineBusyError",
    ],
    "runnable.datastore.errors": [
        "AmbiguousRunIdError",
        "ArtifactNotFoundError",
        "BranchLogNotFoundError",
        "EarlierInputsError",
        "EntityNotFoundError",
        "JobLogNotFoundError",
        "ObjectNotLoadableError",
        "ObjectNotPicklableError",
        "OutputTypeError",
        "RetryValidationError",
        "RunLogContinuedError",
        "RunLogDamagedError",
        "RunLogExistsError",
        "RunLogNotFoundError",
        "RunUnderWayError",
        "RunsNotDeletedError",
        "StepLogNotFoundError",
    ],
    "runnable.engine.errors": [
        "ExecutionCancelledError",
        "ExecutionFailedError",
        "StepTimeoutError",
        "WorkerError",
    ],
    "runnable.engine.branch_errors": [
        "BranchFailedError",
        "BranchesFailedError",
        "BranchingError",
    ],
    "runnable.errors": [
        "ConfigurationError",
        "DefinitionError",
        "RunError",
        "RunnableError",
        "ServiceNotFoundError",
        "StoreError",
        "did_you_mean",
    ],
    "runnable.graph.errors": [
        "BranchNotFoundError",
        "GraphError",
        "NodeMethodCallError",
        "NodeNotFoundError",
        "ParameterTypeError",
        "TerminalNodeError",
    ],
    "runnable.parameters.errors": [
        "BindingError",
        "FieldMissingError",
        "ParameterMissingError",
        "ParametersMissingError",
        "ParameterUnknownError",
        "ReductionError",
        "ReturnsError",
        "ValueNotStorableError",
        "ValueTooLongError",
    ],
    "runnable.sdk.errors": [
        "SettingsError",
    ],
    "runnable.secrets.errors": [
        "SecretNotFoundError",
        "SecretValueError",
    ],
    "runnable.system.errors": [
        "ParametersFileError",
        "PipelineFileError",
        "StoreAccessError",
    ],
    "runnable.tasks.errors": [
        "CommandCallError",
        "StreamEndError",
    ],
}


def __getattr__(name: str) -> object:
    for home, names in _HOMES.items():
        if name in names:
            value: object = getattr(importlib.import_module(home), name)
            globals()[name] = value
            return value
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
