"""Commands for orchestrators that run each step in its own process."""

import enum
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from runnable.cli.arguments import (
    AsJson,
    Config,
    Level,
    LogLevel,
    Note,
    Parameters,
    RunId,
    Tag,
    Verbose,
    log_at,
    pairs,
    tags_of,
)
from runnable.cli.execute import Definition, importable
from runnable.cli.outcome import Exit, FailedError, told_to_the_shell

if TYPE_CHECKING:
    from collections.abc import Callable

    from runnable.engine import Iteration, SingleStepResult
    from runnable.scope.options import Options
    from runnable.sdk.discovery import Planned
    from runnable.sdk.single_step import SingleStepRequest


class Mode(enum.StrEnum):
    """The kind of definition: a YAML file or a Python script."""

    YAML = "yaml"
    PYTHON = "python"


class Direction(enum.StrEnum):
    """The direction: `out` starts branches, `in` joins them."""

    OUT = "out"
    IN = "in"


StepName = Annotated[
    str, typer.Argument(help="The path of the step; % stands for a space.")
]
Of = Annotated[
    Mode, typer.Option("--mode", "-m", help="What the definition is, if unclear.")
]
Iterations = Annotated[
    str,
    typer.Option(
        "--iter-variable",
        help='The iterations of maps and loops: {"map_variable": {"x": '
        '{"value": 1}}, "loop_variable": [{"value": 0}]}.',
    ),
]


Arguments = Annotated[
    list[str] | None,
    typer.Option("--argument", hidden=True, help="Of the script; more than once."),
]
ImportPath = Annotated[
    list[str] | None,
    typer.Option("--import-path", hidden=True, help="Has modules; more than once."),
]


InOrder = Annotated[
    bool,
    typer.Option(
        "--in-order",
        help="Each step starts when the ones before it have ended, and never twice at "
        "once: what is recorded as running was cut off, and the last step of a branch "
        "ends it.",
    ),
]
JoinOnly = Annotated[bool, typer.Option("--join-only", hidden=True)]


def execute_single_node(
    run_id: RunId,
    definition: Definition,
    step: StepName,
    config: Config = None,
    parameters: Parameters = None,
    log_level: Level = LogLevel.INFO,
    tag: Tag = None,
    note: Note = None,
    mode: Of = Mode.YAML,
    iter_variable: Iterations = "",
    join_only: JoinOnly = False,
    in_order: InOrder = False,
    argument: Arguments = None,
    import_path: ImportPath = None,
    verbose: Verbose = False,
) -> None:
    """Run one step of a run.

    The first step of a run starts the run.
    """
    with told_to_the_shell(verbose=verbose):
        from runnable.sdk.single_step import run_single_step

        del mode  # the definition says it
        log_at(log_level)
        options = _options(run_id, config, parameters, log_level, tag, note)
        program = importable(definition, import_path or ()).program(argument or ())
        asked = _asked(
            program,
            step,
            iter_variable,
            options,
            joins_only=join_only,
            in_order=in_order,
        )
        ended = run_single_step(asked)
        _say_failure(run_id, step, ended)


def fan(
    run_id: RunId,
    step: StepName,
    definition: Definition,
    direction: Annotated[
        Direction, typer.Argument(metavar="out|in", help="Begin branches, or end them.")
    ],
    config: Config = None,
    parameters: Parameters = None,
    log_level: Level = LogLevel.INFO,
    tag: Tag = None,
    note: Note = None,
    mode: Of = Mode.YAML,
    iter_variable: Iterations = "",
    output: Annotated[
        Path | None,
        typer.Option(
            help="A file for the numbers of the branches, or whether to go on."
        ),
    ] = None,
    join_only: JoinOnly = False,
    in_order: InOrder = False,
    argument: Arguments = None,
    as_json: AsJson = False,
    verbose: Verbose = False,
) -> None:
    """Start the branches of a step, or record their end.

    A loop fans out and in once for each iteration; `in` prints whether it is done.
    """
    with told_to_the_shell(as_json=as_json, verbose=verbose) as answer:
        from runnable.sdk.single_step import close_branches, open_branches

        del mode  # the definition says it
        log_at(log_level)
        options = _options(run_id, config, parameters, log_level, tag, note)
        program = importable(definition).program(argument or ())
        asked = _asked(
            program,
            step,
            iter_variable,
            options,
            joins_only=join_only,
            in_order=in_order,
        )
        if direction is Direction.OUT:
            branches = open_branches(asked)
            _write(output, json.dumps([branch.number for branch in branches]))
            answer.say("\n".join(branch.name for branch in branches))
            answer.give({
                "branches": [
                    {"name": it.name, "variables": dict(it.variables)}
                    for it in branches
                ]
            })
            return
        ended = close_branches(asked)
        _write(output, json.dumps(ended is None))
        answer.say("continue" if ended is None else "done")
        answer.give({"done": ended is not None, "succeeded": ended and ended.succeeded})
        if ended is not None:
            _say_failure(run_id, step, ended)


def end(
    run_id: RunId,
    definition: Definition,
    branch: Annotated[
        str, typer.Argument(help="The path of a branch; the whole run if empty.")
    ] = "",
    config: Config = None,
    parameters: Parameters = None,
    log_level: Level = LogLevel.INFO,
    tag: Tag = None,
    note: Note = None,
    mode: Of = Mode.YAML,
    iter_variable: Iterations = "",
    argument: Arguments = None,
    verbose: Verbose = False,
) -> None:
    """Record the end of a run or a branch.

    What they could not record has failed. For orchestrators: as the last thing of a
    run, whatever has become of its steps.
    """
    with told_to_the_shell(verbose=verbose):
        from runnable.graph import SUCCESS_NODE, join
        from runnable.sdk.single_step import end_branch

        del mode  # the definition says it
        log_at(log_level)
        options = _options(run_id, config, parameters, log_level, tag, note)
        program = importable(definition).program(argument or ())
        step = join(branch, SUCCESS_NODE)
        asked = _asked(
            program, step, iter_variable, options, joins_only=True, in_order=True
        )
        ended = end_branch(asked)
        if not ended.succeeded:
            what = (
                f"branch {branch!r} of run {run_id!r}" if branch else f"run {run_id!r}"
            )
            raise FailedError(f"{what} has failed: {ended.reason}", Exit.FAILED)


def _asked(
    program: "Callable[[], object]",
    step: str,
    iter_variable: str,
    options: "Options",
    *,
    joins_only: bool,
    in_order: bool,
) -> "SingleStepRequest":
    from runnable.sdk.single_step import SingleStepRequest

    return SingleStepRequest(
        program,
        step,
        _iteration(iter_variable),
        options,
        joins_only,
        is_alone=True,
        in_order=in_order,
    )


def _write(output: Path | None, text: str) -> None:
    if output is not None:
        output.write_text(text)


def _say_failure(run_id: str, step: str, ended: "SingleStepResult") -> None:
    if not ended.succeeded:
        why = f"step {step!r} of run {run_id!r} has failed: {ended.reason}"
        raise FailedError(why, Exit.FAILED)


def execute_job(
    definition: Definition,
    run_id: Annotated[str, typer.Argument(help="Of the job's run.")] = "",
    config: Config = None,
    parameters: Parameters = None,
    log_level: Level = LogLevel.WARNING,
    tag: Tag = None,
    note: Note = None,
    job: Annotated[str, typer.Option(hidden=True)] = "",
    again: Annotated[bool, typer.Option("--again", hidden=True)] = False,
    argument: Arguments = None,
    import_path: ImportPath = None,
    verbose: Verbose = False,
) -> None:
    """Run the job that a function makes."""
    with told_to_the_shell(verbose=verbose):
        from dataclasses import replace

        from runnable.scope.options import completed
        from runnable.sdk import collect
        from runnable.sdk.single_step import tried_again
        from runnable.sdk.start import execute

        log_at(log_level)
        options = _options(run_id, config, parameters, log_level, tag, note)
        program = importable(definition, import_path or ()).program(argument or ())

        def is_it(planned: "Planned") -> bool:
            request = planned.request
            return request.job is not None and job in {"", request.digest}

        planned = collect(program, check=is_it).runs[-1]
        request, planned_options, container = planned
        if not is_it(planned):
            raise FailedError(f"{definition} makes no such job")
        found_by = request.reference or definition
        here = replace(request, runs_here=True, reference=found_by)
        options = completed(options, planned_options)
        execute(here, tried_again(options, container) if again else options, container)


def _iteration(text: str) -> "Iteration":
    from pydantic import ValidationError

    from runnable.engine import Iteration

    try:
        return Iteration.model_validate_json(text or "{}")
    except ValidationError as error:
        finding = error.errors(include_url=False)[0]
        where = ".".join(map(str, finding["loc"]))
        why = f"--iter-variable: {where + ': ' if where else ''}{finding['msg']}"
        raise FailedError(why) from None


def _options(
    run_id: str,
    config: Path | None,
    parameters: Path | None,
    log_level: LogLevel,
    tag: list[str] | None,
    note: list[str] | None,
) -> "Options":
    from runnable.scope.options import Options

    text, tags = tags_of(tag)
    return Options(
        configuration_file=str(config or ""),
        run_id=run_id,
        tag=text,
        tags=tags,
        notes=pairs("--note", note),
        parameters_file=str(parameters or ""),
        log_level=log_level.name,
    )
