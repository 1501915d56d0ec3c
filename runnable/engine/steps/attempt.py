"""One attempt of a step."""

from concurrent.futures import Future
from dataclasses import dataclass, field

from runnable import defaults
from runnable.datastore import AnyParameter, DataCatalog
from runnable.engine.steps.live_log import LiveLog
from runnable.engine.steps.output_log import OutputLog


@dataclass(slots=True)
class Attempt:
    """One attempt of a step, while it is active."""

    path: str
    number: int
    """From 1; 0 for a step with branches."""
    output: OutputLog
    outputs: dict[str, AnyParameter] = field(default_factory=dict[str, AnyParameter])
    put: list[DataCatalog] = field(default_factory=list[DataCatalog])
    got: list[DataCatalog] = field(default_factory=list[DataCatalog])
    read: list[str] = field(default_factory=list[str])
    """Names of the parameters that it was given."""
    cache_key: str = ""
    """Key of its result for steps that would do the same."""
    cached_from: str = ""
    status: str = defaults.FAIL
    message: str = ""
    error: BaseException | None = None
    live_log: LiveLog | None = None
    """Shows what it prints to others, if it prints anything."""
    abandoned: "list[Future[object]]" = field(default_factory=list[Future[object]])
    """Calls that were left to end by themselves."""
    folder: str = ""
    """The folder of the run, if the step works there."""
    replaced: list[str] = field(default_factory=list[str])
    """The names of files that it has replaced."""
