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
    """Show what the steps of a run printed.

    Each attempt is shown separately.
    """
    with told_to_the_shell(as_json=as_json, verbose=verbose) as answer:
        from runnable.sdk import get_run_log

        where = str(config or "")
        run_log = get_run_log(run_id, where)
        is_active = run_log.status in {defaults.CREATED, defaults.PROCESSING}
        if not (follow and is_active):  # the step may begin later
            _check_step(run_log, step)
        printer = _Printer(answer)
        for read in _readings(run_log, where, follow=follow):
            printer.show(read.execution_logs(step))
            run_log = read
        printer.finish(run_log.execution_logs(step))
        answer.give(list(printer.ended.values()))


def _readings(run_log: "RunLog", where: str, *, follow: bool) -> "Iterator[RunLog]":
    """Yield a run log; if it is followed, read it again until the run has ended."""
    from runnable.sdk import get_run_log, has_crashed

    run_id, is_last = run_log.run_id, not follow
    while True:
        yield run_log
        is_active = run_log.status in {defaults.CREATED, defaults.PROCESSING}
        if is_last or not is_active:
            return
        time.sleep(_LOOK_SECONDS)
        # Once more after a crash: something may have been kept before it.
        is_last = has_crashed(run_id, where)
        run_log = get_run_log(run_id, where)


def _check_step(run_log: "RunLog", step: str) -> None:
    if not step or (run_log.job is not None and step == "job"):
        return
    if any(branch == step for it in run_log.all_steps() for branch in it.branches):
        return
    run_log.search_step_by_internal_name(step)


class _Printer:
    """Prints logs as they grow, and each part of them once.

    Args:
        answer: Where they are printed.
    """

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._printed: dict[tuple[str, int], int] = {}
        """How many characters of each attempt were printed."""
        self._latest: tuple[str, int] | None = None
        self.ended: dict[tuple[str, int], dict[str, object]] = {}

    def show(self, logs: "Iterator[ExecutionLog]") -> None:
        """Print what is new."""
        for log in logs:
            key = log.step, log.attempt.attempt_number
            if key not in self.ended:
                self._show(log, key)

    def finish(self, logs: "Iterator[ExecutionLog]") -> None:
        """Print the rest of attempts that have no end: their process was killed."""
        for log in logs:
            key = log.step, log.attempt.attempt_number
            if key not in self.ended and log.text:
                self._print(log, key, log.text[self._printed.get(key, 0) :])
                self.ended[key] = _described(log)

    def _print(self, log: "ExecutionLog", key: tuple[str, int], new: str) -> None:
        if new and self._latest != key:
            self._answer.say(f"--- {log.step}, attempt {key[1]}")
            self._latest = key
        if new:
            self._answer.say(new.removesuffix("\n"))

    def _show(self, log: "ExecutionLog", key: tuple[str, int]) -> None:
        attempt, begun = log.attempt, key in self._printed
        has_ended = bool(attempt.end_time)
        new = log.text[self._printed.get(key, 0) :]
        if not has_ended:
            # Whole lines; of a very long log, nothing before its end.
            is_end = log.text.startswith("[") and "characters before this]" in log.text
            new = "" if is_end else new[: new.rfind("\n") + 1]
        if (new and self._latest != key) or (has_ended and not begun):
            status = f": {attempt.status}" if has_ended else ""
            self._answer.say(f"--- {log.step}, attempt {key[1]}{status}")
            self._latest = key
        if new:
            self._answer.say(new.removesuffix("\n"))
            self._printed[key] = self._printed.get(key, 0) + len(new)
        if has_ended:
            self._end(log, key, begun=begun)

    def _end(self, log: "ExecutionLog", key: tuple[str, int], *, begun: bool) -> None:
        attempt = log.attempt
        if begun:
            self._answer.say(f"--- {log.step}, attempt {key[1]}: {attempt.status}")
        if not log.text and attempt.message:
            self._answer.say(attempt.message)
        self.ended[key] = _described(log) if self._answer.as_json else {}


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
    """List or copy the files and objects of a run."""
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
