"""Commands that run pipelines: `execute`, `retry`, and `check`, which does not."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from runnable import defaults
from runnable.cli.arguments import (
    AsJson,
    Config,
    Level,
    LogLevel,
    Parameters,
    RunId,
    Tag,
    Verbose,
    log_at,
)
from runnable.cli.outcome import Answer, Exit, FailedError, told_to_the_shell

if TYPE_CHECKING:
    from collections.abc import Callable

    from runnable.datastore import RunLog
    from runnable.scope.options import Options
    from runnable.sdk.discovery import Planned

File = Annotated[
    Path,
    typer.Argument(
        help="A Python script that executes a pipeline, or a YAML file of one."
    ),
]


def execute(
    file: File,
    run_id: Annotated[
        str, typer.Argument(help="Of this run; else RUNNABLE_RUN_ID, else a new one.")
    ] = "",
    config: Config = None,
    parameters: Parameters = None,
    log_level: Level = LogLevel.WARNING,
    tag: Tag = "",
    as_json: AsJson = False,
    verbose: Verbose = False,
) -> None:
    """Run a script or a YAML pipeline; Ctrl-C and SIGTERM end its run, recorded."""
    with told_to_the_shell(as_json=as_json, verbose=verbose) as answer:
        from runnable.scope.options import Options

        log_at(log_level)
        options = Options(
            configuration_file=str(config or ""),
            run_id=run_id,
            tag=tag,
            parameters_file=str(parameters or ""),
            log_level=log_level.name,
        )
        run_file(file, options, answer)


def retry(
    run_id: RunId,
    config: Config = None,
    log_level: Level = LogLevel.WARNING,
    tag: Tag = "",
    as_json: AsJson = False,
    verbose: Verbose = False,
) -> None:
    """Go on with a run where it stopped, by the file that began it."""
    with told_to_the_shell(as_json=as_json, verbose=verbose) as answer:
        from runnable.datastore.errors import RetryValidationError
        from runnable.scope.options import Options
        from runnable.sdk import get_run_log

        log_at(log_level)
        run_log = get_run_log(run_id, str(config or ""))
        if run_log.status == defaults.SUCCESS:
            answer.say(f"Run {run_id} has succeeded; there is nothing to do.")
            answer.give(_described(run_log))
            return
        recorded = run_log.run_config
        file = recorded.get("pipeline_definition_file") or recorded.get("script")
        if not isinstance(file, str) or not Path(file).is_file():
            why = (
                f"there is no file {file} here, which began it; go to the working "
                "directory that it was run from, or put it back"
                if file
                else "no script began it; execute its pipeline with resume="
            )
            raise RetryValidationError(run_id, why)
        options = Options(
            configuration_file=str(config or recorded.get("configuration_file") or ""),
            tag=tag,
            log_level=log_level.name,
            resume=run_id,
        )
        run_file(Path(file), options, answer, summarised=True)


def run_file(
    file: Path, options: "Options", answer: Answer, *, summarised: bool = False
) -> None:
    """Run a script or a YAML pipeline, and answer with what has come of it.

    Args:
        file: The file.
        options: Used where a script says nothing itself.
        answer: Where to say so.
        summarised: Summarise runs of scripts as well, which print results themselves.

    Raises:
        FailedError: If there is no such file, or the script executes nothing.
    """
    from runnable.scope.launcher import program_launched_by
    from runnable.scope.options import Launcher
    from runnable.secrets import Masker

    make_importable(file)
    logs: list[RunLog] = []

    def began(run_id: str) -> None:
        answer.run_id = run_id

    def ended(run_log: object) -> None:
        logs.append(cast("RunLog", run_log))

    answer.masker = Masker()
    launched = Launcher(options, ended, began=began, masker=answer.masker)
    with program_launched_by(launched):
        try:
            if is_script(file):
                call_script(file)
            else:
                _run_yaml(file, logs, answer)
        except SystemExit as left:
            if left.code:
                raise  # with the status of the script's own
        finally:
            for run_log in logs:
                answer.give(_described(run_log))
            # A YAML pipeline was summed up already.
            for run_log in logs if is_script(file) else ():
                _report_run(run_log, answer, summarised=summarised)
    _check_success(file, logs)


def _report_run(run_log: "RunLog", answer: Answer, *, summarised: bool) -> None:
    """Report a run of a script: in full if it was asked for, or if it failed."""
    from runnable.report import summarise

    if run_log.status != defaults.SUCCESS:
        answer.complain(summarise(run_log))
    elif summarised:
        answer.say(summarise(run_log))
    else:
        answer.note(f"run {run_log.run_id}: {run_log.status}")


def _check_success(file: Path, logs: "list[RunLog]") -> None:
    """Refuse to call success what the script itself has let pass."""
    if not logs:
        raise FailedError(
            f"{file} has run, and has executed no pipeline; let it call execute(), "
            "also when it is the main script"
        )
    latest = {run_log.run_id: run_log.status for run_log in logs}
    failed = [run_id for run_id, it in latest.items() if it != defaults.SUCCESS]
    if failed:
        raise FailedError(f"failed: run {', '.join(failed)}", Exit.FAILED)


def is_script(file: Path) -> bool:
    """Return True for a Python script, False for a YAML file."""
    return file.suffix == ".py"


def make_importable(file: Path | None) -> None:
    """Have imports look where `python FILE` looks, and in the working directory."""
    sys.path.insert(0, str(Path.cwd()))
    if file is not None:
        if not file.is_file():
            raise FailedError(f"there is no file {file}")
        sys.path.insert(0, str(file.parent.absolute()))


def _run_yaml(file: Path, logs: "list[RunLog]", answer: Answer) -> None:
    from runnable.report import summarise
    from runnable.sdk import load_pipeline

    try:
        load_pipeline(file).execute()
    finally:
        for run_log in logs:
            answer.say(summarise(run_log))


def call_script(file: Path, arguments: Sequence[str] = ()) -> None:
    """Run a script as `python FILE` does."""
    import runpy  # only who runs scripts

    sys.argv[:] = [str(file), *arguments]
    runpy.run_path(str(file), run_name="__main__")


def _described(run_log: "RunLog") -> dict[str, object]:
    """Return the result of a run as a few values."""
    from runnable.report import error_of

    name = run_log.run_config.get("dag")
    return {
        "run_id": run_log.run_id,
        "status": run_log.status,
        "tag": run_log.tag,
        "pipeline": name.get("name", "") if isinstance(name, dict) else "",
        "parameters": {key: it.value for key, it in run_log.parameters.items()},
        "metrics": run_log.metrics(),
        "steps": {
            step.internal_name: step.status
            for step in run_log.all_steps()
            if step.step_type not in {"success", "fail"}
        },
        "error": error_of(run_log),
    }


def check(
    file: File,
    config: Config = None,
    parameters: Parameters = None,
    as_json: AsJson = False,
    verbose: Verbose = False,
) -> None:
    """Find what is wrong with a pipeline and its configuration, without running it.

    A script is run up to each execute(), which runs nothing.
    """
    with told_to_the_shell(as_json=as_json, verbose=verbose) as answer:
        from runnable.scope.options import Options

        options = Options(
            configuration_file=str(config or ""),
            parameters_file=str(parameters or ""),
        )
        make_importable(file)
        problems = list(dict.fromkeys(_problems(file, options, answer)))
        if problems:
            raise FailedError("\n".join(problems))
        answer.say("All is well.")
        answer.give({"file": str(file), "problems": []})


def _problems(file: Path, options: "Options", answer: Answer) -> list[str]:
    """Report the problems of a pipeline file, and draw its graph."""
    from runnable.errors import RunnableError
    from runnable.report import draw
    from runnable.sdk import collect, rehearse

    problems: list[str] = []

    def look_at(planned: "Planned") -> None:
        request = planned.request
        answer.say(draw(request.graph) if request.job is None else "a job")
        try:
            rehearse(*planned)
        except RunnableError as error:
            problems.append(str(error))

    program = program_of(file)
    stopped = collect(program, options, look_at, whole_process=True).stopped
    if stopped is not None:
        answer.say(
            f"(the script ended with {type(stopped).__name__}: {stopped}; what it "
            "would execute after that was not looked at)"
        )
    return problems


def program_of(file: Path, arguments: Sequence[str] = ()) -> "Callable[[], object]":
    """Return what executes the pipelines of a file."""
    if is_script(file):
        return lambda: call_script(file, arguments)
    from runnable.sdk import load_pipeline

    return load_pipeline(file).execute
