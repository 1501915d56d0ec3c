"""The commands."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from runnable import defaults
from runnable.ambient import environment_of_step, runs_so_far
from runnable.cli.outcome import told_to_the_shell
from runnable.exceptions import DefinitionError, RetryValidationError

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.callback()
def _commands() -> None:
    """Run tracked pipelines."""


@app.command()
def execute(
    file: Annotated[
        Path, typer.Argument(help="A Python script that executes a pipeline.")
    ],
) -> None:
    """Run a script; Ctrl-C and SIGTERM end its run, which is recorded."""
    import runpy  # only this command runs scripts

    if not file.is_file():
        raise typer.BadParameter(f"there is no file {file}")
    # As `python FILE` has it; the working directory is where modules are looked for.
    sys.path[:0] = [str(file.parent.absolute()), str(Path.cwd())]
    with told_to_the_shell():
        before = runs_so_far()
        runpy.run_path(str(file), run_name="__main__")
        if runs_so_far() == before:
            problem = (
                f"{file} has run, and has executed no pipeline; let it call execute(), "
                "also when it is the main script"
            )
            raise DefinitionError(problem)


@app.command()
def retry(
    run_id: Annotated[str, typer.Argument(help="The id of a run that has stopped.")],
    configuration_file: Annotated[
        Path | None,
        typer.Option("--config", "-c", help="Says where its run log is kept."),
    ] = None,
) -> None:
    """Go on with a run where it stopped, by the script that began it."""
    from runnable import get_run_log

    config = str(configuration_file) if configuration_file else None
    with told_to_the_shell():
        script = get_run_log(run_id, config).run_config.get("script")
        if not isinstance(script, str) or not Path(script).is_file():
            why = (
                f"there is no script {script} here; go to the working directory that "
                "it was run from"
                if script
                else "no script began it; execute its pipeline with resume="
            )
            raise RetryValidationError(run_id, why)
    # In a process with an environment of its own: nothing is written to this one.
    environment = {**environment_of_step(), defaults.RETRY_RUN_ID: run_id}
    if config:
        environment[defaults.RUNNABLE_CONFIGURATION_FILE] = config
    command = [sys.executable, "-m", "runnable.cli", "execute", script]
    os.execve(sys.executable, command, environment)  # noqa: S606 - no shell is wanted


def main() -> None:
    """Run the command line, and exit with what it came to."""
    app()
