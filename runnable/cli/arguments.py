"""Options that commands share."""

import enum
from pathlib import Path
from typing import Annotated

import typer


class LogLevel(enum.StrEnum):
    """Log level of the logger `runnable`."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    FATAL = "fatal"


def _unless_empty(file: Path | None) -> Path | None:
    return None if file == Path() else file  # as if the option were not given


Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        "--config-file",
        callback=_unless_empty,
        help="The configuration file; else RUNNABLE_CONFIGURATION_FILE, else "
        "runnable-config.yaml here.",
    ),
]
Parameters = Annotated[
    Path | None,
    typer.Option(
        "--parameters",
        "--parameters-file",
        "-p",
        callback=_unless_empty,
        help="A YAML file of parameters; else RUNNABLE_PARAMETERS_FILE.",
    ),
]
Tag = Annotated[str, typer.Option(help="Any text that runs are found by.")]
Level = Annotated[
    LogLevel, typer.Option("--log-level", case_sensitive=False, help="What is logged.")
]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print JSON for programs, and nothing else.")
]
Verbose = Annotated[
    bool, typer.Option("--verbose", help="Print the traceback of an error.")
]
Progress = Annotated[
    bool,
    typer.Option(help="Show on standard error how far the run is."),
]
RunId = Annotated[
    str,
    typer.Argument(help="The id of a run; or how it begins; or `latest`."),
]


def commands(help_text: str, *, add_completion: bool = False) -> typer.Typer:
    """Return what several commands are registered with, without one yet.

    Args:
        help_text: What they are for.
        add_completion: Whether they have options that install completion.
    """
    # Help is plain text: rich would take longer to import than all the rest.
    return typer.Typer(
        help=help_text,
        no_args_is_help=True,
        add_completion=add_completion,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["--help", "-h"]},
    )


def log_at(level: LogLevel) -> None:
    """Have the library's log shown on standard error.

    Args:
        level: From which level on.
    """
    import logging

    logger = logging.getLogger("runnable")
    logger.setLevel(level.name)
    if not logger.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
        logger.addHandler(handler)
