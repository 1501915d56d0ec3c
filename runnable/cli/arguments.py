"""Options that commands share."""

import enum
from pathlib import Path
from typing import Annotated

import typer

from runnable.cli.outcome import FailedError


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
Tag = Annotated[
    list[str] | None,
    typer.Option(help="What runs are found by: a text, or key=value, several times."),
]
Note = Annotated[
    list[str] | None,
    typer.Option(help="A text about the run, as key=text; may be given several times."),
]
Param = Annotated[
    list[str] | None,
    typer.Option(
        help="A parameter, as name=value: JSON, or else text, as the pipeline's "
        "functions annotate it. It wins over all other sources."
    ),
]
Only = Annotated[
    list[str] | None,
    typer.Option(help="Run this step alone; may be given several times."),
]
From = Annotated[str, typer.Option("--from", help="Begin with this step.")]
Until = Annotated[str, typer.Option("--to", help="End after this step.")]
InputsFrom = Annotated[
    str,
    typer.Option(
        help="The run that has what steps before have returned; or how its id begins, "
        "or `latest`."
    ),
]
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


def pairs(option: str, given: list[str] | None) -> dict[str, str]:
    """Read options that are `key=value`.

    Args:
        option: Its name, for errors.
        given: What was given, if anything.

    Raises:
        FailedError: If one is not, or a key is given twice.
    """
    found: dict[str, str] = {}
    for text in given or ():
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise FailedError(f"{option} is key=value, and was given {text!r}")
        if key in found:
            raise FailedError(f"{option} was given {key!r} twice")
        found[key] = value
    return found


def tags_of(given: list[str] | None) -> tuple[str, dict[str, str]]:
    """Return the tag that is a text, and those that have a key.

    Args:
        given: What was given; after a leading = comes a text, whatever is in it.

    Raises:
        FailedError: If two are texts, or a key is given twice.

    Example:
        >>> tags_of(["nightly", "team=risk"])
        ('nightly', {'team': 'risk'})
    """
    texts = [it.removeprefix("=") for it in given or () if _has_no_key(it)]
    if len(texts) > 1:
        raise FailedError(f"--tag was given {texts[0]!r} and {texts[1]!r}; use keys")
    with_key = [it for it in given or () if not _has_no_key(it)]
    return "".join(texts), pairs("--tag", with_key)


def _has_no_key(tag: str) -> bool:
    return tag.startswith("=") or "=" not in tag


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
