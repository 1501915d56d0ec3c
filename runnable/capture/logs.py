"""Log records of steps, also where no handler writes them to a standard stream.

Theory of operation. A record that some handler writes to a standard stream gets to the
log of its step by that stream. Applications that run steps often have other handlers:
they write to files, or send records away. For those, records are looked at as they are
made, by a record factory that is in place while runs are active. A handler of our own
would change what `logging.basicConfig` and the handler of last resort do.
"""

import logging
from collections.abc import Callable, Iterator

from runnable.capture.streams import RoutedStream
from runnable.scope import current_step

Factory = Callable[..., logging.LogRecord]

_FORMATTER = logging.Formatter(logging.BASIC_FORMAT)


class RecordFactory:
    """Makes records as before, and keeps those of steps that no stream will get.

    Args:
        make: The factory that was in place.
    """

    def __init__(self, make: Factory) -> None:
        self.make = make

    def __call__(self, *args: object, **kwargs: object) -> logging.LogRecord:
        """Make a record."""
        record = self.make(*args, **kwargs)
        step = current_step()
        if step is not None and not _gets_to_a_stream(record):
            step.output.keep(_formatted(record))
        return record


def _gets_to_a_stream(record: logging.LogRecord) -> bool:
    handlers = list(_handlers_for(record.name))
    if not handlers:
        return True  # the handler of last resort writes to sys.stderr
    return any(
        isinstance(getattr(handler, "stream", None), RoutedStream)
        and record.levelno >= handler.level
        for handler in handlers
    )


def _handlers_for(name: str) -> Iterator[logging.Handler]:
    logger: logging.Logger | None = logging.getLogger(name)
    while logger is not None:
        yield from logger.handlers
        logger = logger.parent if logger.propagate else None


def _formatted(record: logging.LogRecord) -> str:
    try:
        return f"{_FORMATTER.format(record)}\n"
    except Exception as error:  # noqa: BLE001 - the caller's arguments, of any type
        # The handlers print the same, in their own format.
        return f"{record.levelname}:{record.name}:{record.msg!r} ({error})\n"


def capture_records() -> None:
    """Keep the records of steps, from now on."""
    logging.setLogRecordFactory(RecordFactory(logging.getLogRecordFactory()))


def release_records() -> None:
    """Restore the record factory, unless other code has replaced it."""
    factory = logging.getLogRecordFactory()
    if isinstance(factory, RecordFactory):
        logging.setLogRecordFactory(factory.make)
