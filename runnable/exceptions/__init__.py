"""Every error that `runnable` raises on purpose.

The tree of their classes::

    RunnableError
    ├── DefinitionError            the author of a pipeline must act
    │   ├── GraphError             several findings about one graph
    │   ├── PipelineFileError      with the lines of the file
    │   ├── NodeNotFoundError, BranchNotFoundError
    │   └── NodeMethodCallError, TerminalNodeError
    ├── ConfigurationError         the operator must act
    │   ├── ServiceNotFoundError
    │   └── ParametersFileError
    ├── RunError                   this run cannot go on, or did not end well
    │   ├── ExecutionFailedError, ExecutionCancelledError
    │   ├── EngineBusyError        try again later
    │   ├── BindingError
    │   ├── BranchFailedError
    │   ├── BranchesFailedError    one group for all branches of a step
    │   ├── BranchingError
    │   ├── ReductionError
    │   ├── ParameterMissingError
    │   │   └── ParametersMissingError
    │   ├── StepTimeoutError
    │   ├── StreamEndError
    │   ├── WorkerError
    │   ├── ReturnsError
    │   ├── ValueNotStorableError
    │   ├── CommandCallError
    │   ├── SecretNotFoundError
    │   └── RetryValidationError
    └── StoreError                 something kept is missing, present or damaged
        ├── StoreAccessError
        ├── RunLogExistsError, RunLogNotFoundError, RunLogDamagedError,
        │   RunLogContinuedError, RunUnderWayError, RunsNotDeletedError
        ├── StepLogNotFoundError, BranchLogNotFoundError, JobLogNotFoundError
        ├── EntityNotFoundError
        └── CatalogError
            └── ObjectDamagedError

Each class keeps what it is about in positional fields (so it survives pickling) and
renders its text when asked: what is wrong, where, and what to do.
"""

from runnable.exceptions.base import (
    RunnableError,
    did_you_mean,
)
from runnable.exceptions.branching import (
    BranchesFailedError,
    BranchFailedError,
    BranchingError,
    ReductionError,
)
from runnable.exceptions.configuration import (
    ConfigurationError,
    ParametersFileError,
    ServiceNotFoundError,
)
from runnable.exceptions.definition import (
    BranchNotFoundError,
    DefinitionError,
    GraphError,
    NodeMethodCallError,
    NodeNotFoundError,
    PipelineFileError,
    TerminalNodeError,
)
from runnable.exceptions.running import (
    BindingError,
    CommandCallError,
    EngineBusyError,
    ExecutionCancelledError,
    ExecutionFailedError,
    ParameterMissingError,
    ParametersMissingError,
    RetryValidationError,
    ReturnsError,
    RunError,
    SecretNotFoundError,
    StepTimeoutError,
    StreamEndError,
    ValueNotStorableError,
    WorkerError,
)
from runnable.exceptions.stores import (
    BranchLogNotFoundError,
    CatalogError,
    EntityNotFoundError,
    JobLogNotFoundError,
    ObjectDamagedError,
    RunLogContinuedError,
    RunLogDamagedError,
    RunLogExistsError,
    RunLogNotFoundError,
    RunsNotDeletedError,
    RunUnderWayError,
    StepLogNotFoundError,
    StoreAccessError,
    StoreError,
)

__all__ = [
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
    "EngineBusyError",
    "EntityNotFoundError",
    "ExecutionCancelledError",
    "ExecutionFailedError",
    "GraphError",
    "JobLogNotFoundError",
    "NodeMethodCallError",
    "NodeNotFoundError",
    "ObjectDamagedError",
    "ParameterMissingError",
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
    "ServiceNotFoundError",
    "StepLogNotFoundError",
    "StepTimeoutError",
    "StoreAccessError",
    "StoreError",
    "StreamEndError",
    "TerminalNodeError",
    "ValueNotStorableError",
    "WorkerError",
    "did_you_mean",
]

# In tracebacks and pickles, each has the name under which it is imported.
for _name in __all__:
    globals()[_name].__module__ = __name__
