"""Commands that run pipelines: `execute`, `retry`, and `check`, which does not."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from runnable import defaults
from runnable.cli.arguments import (
    AsJson,
    Config,
    From,
    InputsFrom,
    Level,
    LogLevel,
    Note,
    Only,
    Param,
    Parameters,
    Progress,
    RunId,
    Tag,
    Until,
    Verbose,
    log_at,
    pairs,
    tags_of,
)
from runnable.cli.outcome import Answer, Exit, FailedError, told_to_the_shell
from runnable.cli.quick_imports import quick_imports

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pydantic import JsonValue

    from runnable.datastore import RunLog
    from runnable.scope.options import Options
    from runnable.sdk.discovery import Planned
    from runnable.sdk.references import Reference

Definition = Annotated[
    str,
    typer.Argument(
        help="A YAML file, a Python script, the name of a module, or a function that "
        "makes or executes a pipeline: package.module:function, or file.py:function."
    ),
]


def execute(
    definition: Definition,
    run_id: Annotated[
        str, typer.Argument(help="Of this run; else RUNNABLE_RUN_ID, else a new one.")
    ] = "",
    config: Config = None,
    parameters: Parameters = None,
    log_level: Level = LogLevel.WARNING,
    param: Param = None,
    tag: Tag = None,
    note: Note = None,
    only: Only = None,
    from_: From = "",
    until: Until = "",
    inputs_from: InputsFrom = "",
    progress: Progress = True,
    as_json: AsJson = False,
    verbose: Verbose = False,
) -> None:
    """Run a pipeline.

    Ctrl-C and SIGTERM cancel the run, and record its end.
    """
    with told_to_the_shell(as_json=as_json, verbose=verbose) as answer:
        from runnable.scope.options import Options

        log_at(log_level)
        text, tags = tags_of(tag)
        options = Options(
            configuration_file=str(config or ""),
            run_id=run_id,
            tag=text,
            parameters_file=str(parameters or ""),
            log_level=log_level.name,
            progress=progress and not as_json,
            tags=tags,
            notes=pairs("--note", note),
            written=pairs("--param", param),
            only=only or (),
            from_=from_,
            until=until,
            inputs_from=inputs_from,
        )
        run_definition(importable(definition), options, answer)


def retry(
    run_id: RunId,
    config: Config = None,
    log_level: Level = LogLevel.WARNING,
    tag: Tag = None,
    progress: Progress = True,
    as_json: AsJson = False,
    verbose: Verbose = False,
) -> None:
    """Resume a run where it stopped.

    The program that started the run is executed again.
    """
    with told_to_the_shell(as_json=as_json, verbose=verbose) as answer:
        from runnable.datastore.errors import RetryValidationError
        from runnable.scope.options import Options
        from runnable.sdk import get_run_log

        log_at(log_level)
        run_log = get_run_log(run_id, str(config or ""))
        run_id = run_log.run_id
        if run_log.status == defaults.SUCCESS:
            answer.say(f"Run {run_id} has succeeded; there is nothing to do.")
            answer.give(_described(run_log))
            return
        recorded = run_log.run_config
        definition = _definition_of(recorded)
        if definition is None:
            why = (
                "no program is recorded that began it; execute its pipeline with "
                "resume=, or give the pipeline a reference="
            )
            raise RetryValidationError(run_id, why)
        try:
            reference = importable(definition)
        except FailedError as error:
            why = (
                f"{error} here, which began it; go to the working directory that it "
                "was run from, or put it back"
            )
            raise RetryValidationError(run_id, why) from None
        text, tags = tags_of(tag)
        options = Options(
            configuration_file=str(config or recorded.get("configuration_file") or ""),
            tag=text,
            tags=tags,
            log_level=log_level.name,
            resume=run_id,
            **_part_of(recorded),
            progress=progress and not as_json,
        )
        run_definition(reference, options, answer, summarised=True)


def _part_of(recorded: "Mapping[str, JsonValue]") -> dict[str, Any]:
    """Return which part of its pipeline a run runs."""
    part = recorded.get("part")
    said = part if isinstance(part, dict) else {}
    return {name: it for name, it in said.items() if name not in {"files", "secrets"}}


def _definition_of(recorded: "Mapping[str, JsonValue]") -> str | None:
    """Return which definition began a run, if any is recorded."""
    for name in ("reference", "pipeline_definition_file", "script"):
        definition = recorded.get(name)
        if isinstance(definition, str) and definition:
            return definition
    return None


def run_definition(
    reference: "Reference",
    options: "Options",
    answer: Answer,
    *,
    summarised: bool = False,
) -> None:
    """Run what a reference names, and answer with what has come of it.

    Args:
        reference: A YAML file, a script, a module or a function.
        options: Used where a script says nothing itself.
        answer: Where to say so.
        summarised: Summarise runs of scripts as well, which print results themselves.

    Raises:
        FailedError: If there is no such file, or the script executes nothing.
    """
    with quick_imports():
        from runnable.scope.launcher import program_launched_by
        from runnable.scope.options import Launcher
        from runnable.sdk.discovery import call
        from runnable.secrets import Masker

    logs: list[RunLog] = []

    def began(run_id: str) -> None:
        answer.run_id = run_id

    def ended(run_log: object) -> None:
        logs.append(cast("RunLog", run_log))

    answer.masker = Masker()
    launched = Launcher(
        options, ended, began=began, masker=answer.masker, reference=reference.text
    )
    with program_launched_by(launched):
        try:
            call(reference.program(), logs)
        except SystemExit as left:
            if left.code:
                raise  # with the status of the script's own
        finally:
            for run_log in logs:
                answer.give(_described(run_log))
                _report_run(
                    run_log, answer, summarised=summarised, is_yaml=reference.is_yaml
                )
    _check_success(reference.text, logs)


def _report_run(
    run_log: "RunLog", answer: Answer, *, summarised: bool, is_yaml: bool
) -> None:
    """Report a run of a script: in full if it was asked for, or if it failed."""
    if instead := run_log.run_config.get("instead"):
        answer.say(str(instead))
        return
    # What a script prints itself is its result.
    has_failed = run_log.status != defaults.SUCCESS
    if not (is_yaml or summarised or has_failed):
        answer.note(f"run {run_log.run_id}: {run_log.status}")
        return
    from runnable.report import summarise

    tell = answer.complain if has_failed and not is_yaml else answer.say
    tell(summarise(run_log))


def _check_success(definition: str, logs: "list[RunLog]") -> None:
    """Refuse to call success what the script itself has let pass."""
    if not logs:
        raise FailedError(
            f"{definition} has run, and has executed no pipeline; let it call "
            "execute(), also when it is the main script"
        )
    latest = {run_log.run_id: run_log for run_log in logs}
    failed = [
        run_id
        for run_id, it in latest.items()
        if it.status != defaults.SUCCESS and "instead" not in it.run_config
    ]
    if failed:
        raise FailedError(f"failed: run {', '.join(failed)}", Exit.FAILED)


def import_from_here(*more: str) -> None:
    """Have imports look in the working directory.

    Args:
        more: More folders to look in, after it.
    """
    sys.path[:0] = [str(Path.cwd()), *more]


def importable(definition: str, import_path: "Sequence[str]" = ()) -> "Reference":
    """Have imports look where a definition needs it, and in the working directory.

    Args:
        definition: A reference to it.
        import_path: More folders to look in.

    Raises:
        FailedError: If there is no such file.
    """
    from runnable.errors import DefinitionError
    from runnable.sdk.references import Reference

    import_from_here(*import_path)
    try:
        reference = Reference.parse(definition)
        sys.path[:0] = reference.folders()
    except DefinitionError as error:
        raise FailedError(str(error)) from error
    return reference


def _described(run_log: "RunLog") -> dict[str, object]:
    """Return the result of a run as a few values."""
    from runnable.report import error_of

    if "instead" in run_log.run_config:
        return {"run_id": run_log.run_id, **run_log.run_config}
    name = run_log.run_config.get("dag")
    return {
        "run_id": run_log.run_id,
        "status": run_log.status,
        "tag": run_log.tag,
        "pipeline": name.get("name", "") if isinstance(name, dict) else "",
        "parameters": {key: it.value for key, it in run_log.parameters.items()},
        "metrics": run_log.metrics,
        "steps": {
            step.internal_name: step.status
            for step in run_log.all_steps()
            if step.step_type not in {"success", "fail"}
        },
        "error": error_of(run_log),
    }


def check(
    definition: Definition,
    config: Config = None,
    parameters: Parameters = None,
    as_json: AsJson = False,
    verbose: Verbose = False,
) -> None:
    """Find errors in a pipeline and its configuration.

    A script is run up to each execute(), which runs nothing.
    """
    with told_to_the_shell(as_json=as_json, verbose=verbose) as answer:
        from runnable.scope.options import Options

        options = Options(
            configuration_file=str(config or ""),
            parameters_file=str(parameters or ""),
        )
        reference = importable(definition)
        problems = list(dict.fromkeys(_problems(reference, options, answer)))
        if problems:
            raise FailedError("\n".join(problems))
        answer.say("All is well.")
        answer.give({"file": definition, "problems": []})


def _problems(reference: "Reference", options: "Options", answer: Answer) -> list[str]:
    """Report the problems of a definition, and draw its graphs."""
    from runnable.report import draw
    from runnable.sdk import collect, find_problems

    problems: list[str] = []

    def look_at(planned: "Planned") -> None:
        request = planned.request
        answer.say(draw(request.graph) if request.job is None else "a job")
        problems.extend(find_problems(*planned))

    program = reference.program()
    stopped = collect(program, options, look_at, whole_process=True).stopped
    if stopped is not None:
        answer.say(
            f"(the script ended with {type(stopped).__name__}: {stopped}; what it "
            "would execute after that was not looked at)"
        )
    return problems
