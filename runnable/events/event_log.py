"""Log what happens in runs, for programs that want lines of text."""

import logging

from runnable.events.types import Event, Launched
from runnable.journal import (
    BranchFinished,
    BranchStarted,
    RunFinished,
    RunResumed,
    RunStarted,
    StepFinished,
    StepStarted,
)
from runnable.scope import find_run

logger = logging.getLogger(__name__)
_OF_RUNS: dict[type, str] = {RunStarted: "started", RunResumed: "resumed"}


def is_wanted() -> bool:
    """Return True if lines would be logged: if somebody listens at the level INFO."""
    return logger.isEnabledFor(logging.INFO)


def log_event(event: Event) -> None:
    """Log an event of a run in one line, at the level INFO.

    Args:
        event: What has happened; what tasks yield and warnings are not repeated.

    Example:
        >>> log_event(RunFinished(at="", status="SUCCESS"))
    """
    text = _text(event)
    if text:
        run = find_run()
        run_id = run.context.run_id if run is not None else ""
        logger.info("Run %s: %s", run_id, text)


def _text(event: Event) -> str:
    match event:
        case Launched():
            return f"step {event.path!r} launched"
        case StepStarted():
            number = f", attempt {event.attempt}" if event.attempt > 1 else ""
            return f"step {event.path!r} started{number}"
        case StepFinished():
            why = f" ({event.message})" if event.message else ""
            cached = f", cached, from {event.cached_from}" if event.cached_from else ""
            return f"step {event.path!r} {event.status}{cached}{why}"
        case BranchStarted() | BranchFinished():
            return f"branch {event.path!r} {getattr(event, 'status', 'started')}"
        case RunFinished():
            return event.status
        case _:
            return _OF_RUNS.get(type(event), "")
