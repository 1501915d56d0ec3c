"""Commands that show what a run has left: `logs` and `artifacts`."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from runnable import defaults
from runnable.cli.arguments import AsJson, Config, RunId, Verbose
from runnable.cli.outcome import Answer, FailedError, told_to_the_shell
from runnable.cli.tables import table

if TYPE_CHECKING:
    from runnable.datastore import RunLog
    from runnable.datastore.run_files import ExecutionLog, RunFile

_LOOK_SECONDS = 0.5


def logs(
    run_id: RunId,
    step: Annotated[
        str, typer.Argument(help="The path of a step: only that, and what is in it.")
    ] = "",
    follow: Annotated[
        bool,
        typer.Option("--follow", "-f", help="Go on until the run has ended."),
    ] = False,
    config: Config = None,
    as_json: AsJson = False,
    verbose: Verbose = False,
) -> None:
    """Show what the steps of a run have printed, each attempt by itself."""
    with told_to_the_shell(as_json=as_json, verbose=verbose) as answer:
        from runnable.sdk import get_run_log

        where = str(config or "")
        run_log = get_run_log(run_id, where)
        _check_step(run_log, step)
        shown: dict[tuple[str, int], dict[str, object]] = {}
        for read in _readings(run_log, where, follow=follow):
            _show_new(read.execution_logs(step), shown, answer)
        answer.give(list(shown.values()))


def _readings(run_log: "RunLog", where: str, *, follow: bool) -> "Iterator[RunLog]":
    """Yield a run log; if it is followed, read it again until the run has ended."""
    from runnable.sdk import get_run_log, has_crashed

    run_id = run_log.run_id
    while True:
        yield run_log
        is_active = run_log.status in {defaults.CREATED, defaults.PROCESSING}
        if not follow or not is_active or has_crashed(run_id, where):
            return
        time.sleep(_LOOK_SECONDS)
        run_log = get_run_log(run_id, where)


def _check_step(run_log: "RunLog", step: str) -> None:
    if not step or (run_log.job is not None and step == "job"):
        return
    if any(branch == step for it in run_log.all_steps() for branch in it.branches):
        return
    run_log.search_step_by_internal_name(step)


def _show_new(
    logs: "Iterator[ExecutionLog]",
    shown: dict[tuple[str, int], dict[str, object]],
    answer: Answer,
) -> None:
    """Show the logs of attempts that have ended, and have not been shown."""
    for log in logs:
        attempt = log.step, log.attempt.attempt_number
        if attempt not in shown and log.attempt.end_time:
            _show(log, answer)
            shown[attempt] = _described(log) if answer.as_json else {}


def _show(log: "ExecutionLog", answer: Answer) -> None:
    attempt = log.attempt
    number = attempt.attempt_number
    title = f"{log.step}, attempt {number}: {attempt.status}"
    answer.say(f"--- {title}")
    if log.text:
        answer.say(log.text.rstrip("\n"))
    elif attempt.message:
        answer.say(attempt.message)


def _described(log: "ExecutionLog") -> dict[str, object]:
    return {
        "step": log.step,
        "attempt": log.attempt.attempt_number,
        "status": log.attempt.status,
        "text": log.text,
    }


def artifacts(
    run_id: RunId,
    name: Annotated[
        str, typer.Argument(help="Of the file that is copied with --output.")
    ] = "",
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Copy that file, or object, to here."),
    ] = None,
    config: Config = None,
    as_json: AsJson = False,
    verbose: Verbose = False,
) -> None:
    """List the files and objects that the catalog keeps of a run, or copy one."""
    with told_to_the_shell(as_json=as_json, verbose=verbose) as answer:
        from runnable.sdk import get_run_log

        run_log = get_run_log(run_id, str(config or ""))
        files = [it for it in run_log.files() if name in {"", it.name, it.key}]
        if name and not files:
            raise FailedError(_unknown(run_log, name))
        if output is not None:
            if not name:
                raise FailedError("--output: name the file that is copied there")
            answer.say(f"Written to {files[-1].save(output)}")
        else:
            rows = [_row(it) for it in files]
            heads = ("name", "kind", "step", "bytes", "sha256")
            answer.say(table(heads, rows) if rows else "The catalog keeps nothing.")
        answer.give([_facts(it) for it in files])


def _unknown(run_log: "RunLog", name: str) -> str:
    from runnable.errors import did_you_mean

    known = [it.name for it in run_log.files()]
    hint = did_you_mean(name, known)
    return f"run {run_log.run_id!r} has no file or object {name!r}. {hint}"


def _row(file: "RunFile") -> tuple[str, ...]:
    size = "" if file.size_bytes is None else f"{file.size_bytes:,}"
    return file.name, file.kind, file.step, size, file.sha256[:12]


def _facts(file: "RunFile") -> dict[str, object]:
    names = ("name", "kind", "step", "key", "sha256", "size_bytes")
    return {name: getattr(file, name) for name in names}
