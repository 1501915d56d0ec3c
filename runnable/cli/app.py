"""The commands."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from runnable.ambient import runs_so_far
from runnable.cli.outcome import told_to_the_shell
from runnable.exceptions import DefinitionError

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


def main() -> None:
    """Run the command line, and exit with what it came to."""
    app()
