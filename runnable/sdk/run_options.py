"""The options of a run: the same for pipelines and jobs, however they are executed."""

import inspect
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypedDict, TypeVar

from runnable.errors import did_you_mean
from runnable.scope.options import Options

if TYPE_CHECKING:
    from runnable.sdk.services import AnyRunContainer

F = TypeVar("F", bound=Callable[..., object])
_EARLIER = ("configuration_file", "run_id", "tag", "parameters_file", "log_level")
"""Arguments of version 0.50 by position, in order; a job's id is its run id."""


class Config(NamedTuple):
    """The files that configure a run, and how much its steps log.

    Example:
        >>> Config("runnable-config.yaml", parameters_file="parameters.yaml").log_level
        ''
    """

    file: str | os.PathLike[str] = ""
    """Path relative to the working directory; else `RUNNABLE_CONFIGURATION_FILE`, else
    `runnable-config.yaml`."""
    parameters_file: str | os.PathLike[str] = ""
    """YAML mapping; else `RUNNABLE_PARAMETERS_FILE`."""
    log_level: str = ""
    """Handed to steps that run in another process."""


class RunOptions(TypedDict, total=False):
    """The options of a run; each can be left out.

    Args:
        parameters: JSON values by name; these win over all other sources.
        services: Configurations or instances by kind, such as `catalog`.
        container: A `containers.RunContainer` of your own.
        config: Files that configure the run: a `Config`, or the path of the
            configuration file.
        run_id: Of this run; else `RUNNABLE_RUN_ID`, else a new one.
        tag: Any text that runs are found by.
        tags: More of them, by key: `list_runs(tags={"team": "risk"})` finds them.
        notes: Texts about the run, by key, which its run log shows. A run that is
            resumed keeps the tags and notes that it began with.
        resume: The id of a run that has stopped, to be continued; else
            `RUNNABLE_RETRY_RUN_ID`. What has succeeded is not run again.
        only: The name of a step, or several: these alone are run, and their failure
            paths.
        from_: The name of the step to begin with.
        until: The name of the step after whose success the run ends.
        inputs_from: The id of an earlier run of the pipeline, or how it begins, or
            `latest`: what the steps that are left out have returned there, and the
            files that they have put, are there. `parameters` win over it.
        progress: Whether to show on standard error, or below the cell of a notebook,
            how far the run is.
        job_id: Of a job; the same as `run_id`.
        configuration_file: As `Config.file`.
        parameters_file: As `Config.parameters_file`.
        log_level: As `Config.log_level`.
    """

    parameters: Mapping[str, object] | None
    services: Mapping[str, object] | None
    container: "AnyRunContainer | None"
    config: Config | str | os.PathLike[str] | None
    run_id: str
    tag: str
    tags: Mapping[str, str] | None
    notes: Mapping[str, str] | None
    resume: str | None
    only: str | Sequence[str]
    from_: str
    until: str
    inputs_from: str
    progress: bool
    job_id: str
    configuration_file: str
    parameters_file: str
    log_level: str


class Asked(NamedTuple):
    """The options and the container of a caller of `execute`."""

    options: Options
    container: "AnyRunContainer | None"


def asked(earlier: tuple[str, ...], given: RunOptions) -> Asked:
    """Read the arguments of `execute`.

    Args:
        earlier: Those that were given by position, as version 0.50 takes them.
        given: Those that were given by name.

    Raises:
        TypeError: If there is no such argument, or one is given twice.

    Example:
        >>> asked((), {"config": Config("c.yaml"), "tag": "a"}).options[:3]
        ('c.yaml', '', 'a')
    """
    values: dict[str, object] = {**given}
    for name in values:
        if name not in RunOptions.__annotations__:
            hint = did_you_mean(name, list(RunOptions.__annotations__))
            raise TypeError(f"execute() has no argument {name!r}. {hint}")
    _give(values, dict(zip(_EARLIER, earlier, strict=False)))
    if earlier:
        _warn(earlier)
    _give(values, {"run_id": values.pop("job_id", "")})
    _give(values, _of_config(values.pop("config", None)))
    container = given.get("container")
    values.pop("container", None)
    for name in ("parameters", "services", "tags", "notes"):
        if values.get(name) is None:
            values.pop(name, None)
    return Asked(Options(**values), container)  # type: ignore[arg-type]  # the run checks them


def _warn(earlier: tuple[str, ...]) -> None:
    if len(earlier) > len(_EARLIER):
        raise TypeError(
            f"execute() takes {len(_EARLIER)} arguments by position, and got "
            f"{len(earlier)}; give them by name"
        )
    named = ", ".join(map("{}={!r}".format, _EARLIER, earlier))
    text = f"execute() got arguments by position; give them by name: {named}"
    warnings.warn(text, DeprecationWarning, stacklevel=4)


def _of_config(config: object) -> dict[str, object]:
    if config is None:
        return {}
    given = config if isinstance(config, Config) else Config(config)  # type: ignore[arg-type]  # the run checks it
    names = ("configuration_file", "parameters_file", "log_level")
    paths = (str(it) if isinstance(it, os.PathLike) else it for it in given)
    return dict(zip(names, paths, strict=True))


def _give(values: dict[str, object], more: Mapping[str, object]) -> None:
    for name, value in more.items():
        if not value:
            continue
        if values.get(name):
            raise TypeError(f"execute() got {name!r} twice")
        values[name] = value


def takes_run_options(id_name: str = "run_id") -> Callable[[F], F]:
    """Let `help` and editors see the options of a method that takes `**options`.

    What version 0.50 takes by position comes first.

    Args:
        id_name: What the second of them is called; for jobs, it is `job_id`.

    Returns:
        A decorator for methods with the parameters `earlier` and `options`.
    """
    earlier = [id_name if it == "run_id" else it for it in _EARLIER]
    names = [*earlier, *(it for it in RunOptions.__annotations__ if it not in earlier)]

    def show(function: F) -> F:
        signature = inspect.signature(function)
        first, *others = signature.parameters.values()
        own = [it for it in others if it.kind is it.KEYWORD_ONLY]
        options = [
            inspect.Parameter(
                name,
                first.POSITIONAL_OR_KEYWORD if name in earlier else first.KEYWORD_ONLY,
                default="" if name in earlier else None,
                annotation=RunOptions.__annotations__[name],
            )
            for name in names
        ]
        shown = signature.replace(parameters=[first, *options, *own])
        function.__signature__ = shown  # type: ignore[attr-defined]  # what inspect reads
        return function

    return show
