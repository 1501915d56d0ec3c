"""`runnable runs`: list runs, show, compare and delete them."""

import re
import sys
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from runnable import defaults
from runnable.cli.arguments import (
    AsJson,
    Config,
    Level,
    LogLevel,
    RunId,
    Verbose,
    commands,
    log_at,
    tags_of,
)
from runnable.cli.outcome import Exit, FailedError, told_to_the_shell
from runnable.cli.tables import table
from runnable.system.moments import local_text, moment_of

if TYPE_CHECKING:
    from runnable.datastore import RunLog, RunSummary

app = commands("List, show, compare and delete runs.")

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_MOMENTS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S"]


@app.command("list")
def list_(
    config: Config = None,
    status: Annotated[str, typer.Option(help="Such as FAIL.")] = "",
    tag: Annotated[
        list[str] | None,
        typer.Option(help="Only runs of this tag: a text, or key=value."),
    ] = None,
    pipeline: Annotated[str, typer.Option(help="Only of pipelines of this name.")] = "",
    since: Annotated[
        datetime | None, typer.Option(formats=_MOMENTS, help="Started then or later.")
    ] = None,
    until: Annotated[
        datetime | None, typer.Option(formats=_MOMENTS, help="Started then or earlier.")
    ] = None,
    limit: Annotated[int, typer.Option(min=0, help="How many, 0 for all.")] = 50,
    as_json: AsJson = False,
    verbose: Verbose = False,
) -> None:
    """List runs, the latest first."""
    with told_to_the_shell(as_json=as_json, verbose=verbose) as answer:
        from runnable.sdk import list_runs

        text, tags = tags_of(tag)
        found = list_runs(
            str(config or ""),
            status=status.upper(),
            tag=text,
            tags=tags,
            pipeline=pipeline,
            since=since,
            until=until,
        )
        shown = found[:limit] if limit else found
        answer.give([run._asdict() for run in shown])
        metrics = list(dict.fromkeys(name for run in shown for name in run.metrics))
        rows = [(*_row(run), *_metrics(run, metrics)) for run in shown]
        answer.say(table((*_HEADS, *metrics), rows) if shown else _NONE)
        if len(shown) < len(found):
            answer.say(f"... and {len(found) - len(shown)} more; see --limit")


_NONE = "No such runs here; --config names the configuration of another place."
_HEADS = ("run", "status", "pipeline", "tag", "started", "took")


def _row(run: "RunSummary") -> tuple[str, ...]:
    took = ""
    if run.started and run.ended_at:
        lasted = moment_of(run.ended_at) - run.started
        took = f"{lasted.total_seconds():.1f} s"
    started = local_text(run.started_at)
    status = f"{run.status}: {run.problem}" if run.problem else run.status
    return run.run_id, status, run.pipeline, run.labels, started, took


def _metrics(run: "RunSummary", names: list[str]) -> list[str]:
    from runnable.report.summary import shown_metric

    values = [run.metrics.get(name) for name in names]
    return ["" if it is None else shown_metric(it) for it in values]


@app.command()
def show(
    run_id: RunId,
    config: Config = None,
    as_json: AsJson = False,
    verbose: Verbose = False,
) -> None:
    """Show how a run went.

    With --json, print its whole run log.
    """
    with told_to_the_shell(as_json=as_json, verbose=verbose) as answer:
        from runnable.report import summarise
        from runnable.sdk import get_run_log, has_crashed

        where = str(config or "")
        run_log = get_run_log(run_id, where)
        run_id = run_log.run_id
        answer.say(summarise(run_log))
        if run_log.status == defaults.PROCESSING and has_crashed(run_id, where):
            answer.say(f"It has crashed; `runnable retry {run_id}` resumes it.")
        if as_json:
            answer.give(_as_json(run_log))


def _as_json(run_log: "RunLog") -> object:
    import json

    from runnable.datastore.snapshot import dump_run_log

    return json.loads(b"".join(dump_run_log(run_log)))


@app.command()
def compare(
    first: RunId,
    second: RunId,
    config: Config = None,
    as_json: AsJson = False,
    verbose: Verbose = False,
) -> None:
    """Show what differs between two runs.

    It compares parameters, metrics, steps and services.
    """
    with told_to_the_shell(as_json=as_json, verbose=verbose) as answer:
        from runnable.report import compare as find_differences
        from runnable.sdk import get_run_log

        logs = [get_run_log(run_id, str(config or "")) for run_id in (first, second)]
        found = find_differences(*logs)
        answer.give([difference._asdict() for difference in found])
        rows = [(it.what, str(it.first), str(it.second)) for it in found]
        heads = ("", *(run_log.run_id for run_log in logs))
        answer.say(table(heads, rows) if rows else "No differences.")


@app.command()
def delete(
    run_ids: Annotated[list[str] | None, typer.Argument(help="Ids of runs.")] = None,
    older_than: Annotated[
        str, typer.Option(help="All that began longer ago: 12h, 30d, 8w.")
    ] = "",
    keep: Annotated[
        int | None, typer.Option(min=0, help="All but this many, the latest.")
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do not ask, as with --json.")
    ] = False,
    config: Config = None,
    as_json: AsJson = False,
    verbose: Verbose = False,
) -> None:
    """Delete runs and what the catalog keeps of them."""
    with told_to_the_shell(as_json=as_json, verbose=verbose) as answer:
        from runnable.sdk import delete_runs, find_run_id

        if not run_ids and not older_than and keep is None:
            raise FailedError("name the runs: ids, --older-than or --keep")
        age, where = _age(older_than), str(config or "")
        named = [find_run_id(it, where) for it in run_ids or ()]
        delete = partial(delete_runs, named, where, older_than=age, keep=keep)
        if not yes and not as_json and (chosen := delete(dry_run=True)):
            answer.say("\n".join(chosen))
            _confirm(f"Delete {len(chosen)} run(s) for good, with their artifacts?")
        deleted = delete()
        answer.give({"deleted": deleted})
        answer.say("\n".join(f"deleted {run_id}" for run_id in deleted) or "No runs.")


def _confirm(question: str) -> None:
    try:
        sure = typer.confirm(question)
    except typer.Abort:
        sure = False
    if not sure:
        raise FailedError("nothing was deleted", Exit.FAILED)


def _age(text: str) -> timedelta | None:
    if not text:
        return None
    match = re.fullmatch(r"(\d+)([smhdw])", text.strip())
    if match is None:
        raise FailedError(f"--older-than {text!r}: write a number and s, m, h, d or w")
    try:
        return timedelta(**{_UNITS[match[2]]: int(match[1])})
    except OverflowError:
        raise FailedError(f"--older-than {text!r}: that is too long ago") from None


def timeline(
    run_id_or_path: Annotated[
        str, typer.Argument(help="The id of a run, or the JSON file of its log.")
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Where the page is written.")
    ] = None,
    html: Annotated[bool, typer.Option(help="Write the page.")] = True,
    console: Annotated[bool, typer.Option(help="Draw it here.")] = True,
    open_page: Annotated[
        bool | None,
        typer.Option(
            "--open/--no-open", help="Show the page in a browser; yes in a terminal."
        ),
    ] = None,
    config: Config = None,
    log_level: Level = LogLevel.WARNING,
    verbose: Verbose = False,
) -> None:
    """Draw when the steps of a run began and ended."""
    with told_to_the_shell(verbose=verbose) as answer:
        from runnable.report import as_page, as_text
        from runnable.report import timeline as lay_out

        log_at(log_level)
        drawn = lay_out(_log_of(run_id_or_path, config))
        if console:
            answer.say(as_text(drawn))
        if not html:
            return
        page = output or Path(f"{drawn.run_id}_timeline.html")
        page.write_text(as_page(drawn), encoding="utf-8")
        answer.say(f"Written to {page}")
        if open_page or (open_page is None and sys.stdout.isatty()):
            typer.launch(str(page))


def _log_of(run_id_or_path: str, config: Path | None) -> "RunLog":
    from runnable.datastore.snapshot import load_run_log
    from runnable.sdk import get_run_log

    path = Path(run_id_or_path)
    if path.suffix == ".json" or path.is_file():
        if not path.is_file():
            raise FailedError(f"there is no file {path}")
        return load_run_log(path.stem, path)
    return get_run_log(run_id_or_path, str(config or ""))
