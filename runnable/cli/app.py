"""The command line: which commands there are.

A command's module is imported when the command is called: the help of all, and the
completion of their names, need only the table below.
"""

from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from runnable.cli.arguments import commands

# name: where it is, a function or several commands; and the first line of its help.
COMMANDS = {
    "execute": ("execute:execute", "Run a pipeline."),
    "retry": ("execute:retry", "Resume a run where it stopped."),
    "check": ("execute:check", "Find errors in a pipeline and its configuration."),
    "draw": ("pictures:draw", "Draw a pipeline."),
    "timeline": ("runs:timeline", "Draw when the steps of a run began and ended."),
    "logs": ("results:logs", "Show what the steps of a run printed."),
    "artifacts": (
        "results:artifacts",
        "List or copy the files and objects of a run.",
    ),
    "runs": ("runs:app", "List, show, compare and delete runs."),
    "ui": ("ui:ui", "Show runs on a web page."),
    "config": (
        "inspect:config_app",
        "Show the effective settings and their sources.",
    ),
    "migrate": ("inspect:migrate", "Find what has to change in a project of 0.50."),
    "plugins": ("inspect:plugins", "List installed services, tasks and steps."),
    "schema": ("inspect:schema", "Print the JSON schema of pipeline files."),
    # For orchestrators that run steps in processes of their own.
    "execute-single-node": ("nodes:execute_single_node", "Run one step of a run."),
    "fan": ("nodes:fan", "Start the branches of a step, or record their end."),
    "end": ("nodes:end", "Record the end of a run or a branch."),
    "argo": ("argo:app", "Write pipelines as Argo workflows."),
    "execute-job": ("nodes:execute_job", "Run the job that a function makes."),
}


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(version("runnable"))
        raise typer.Exit


def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print it."),
    ] = False,
) -> None:
    del version


class _NotYetImported(TyperCommand):
    """A command of which only the name and the first line of help are known."""

    # What is given, and returned, is click's; Typer does not name its types.
    def make_context(self, info_name: str | None, *given: Any, **extra: Any) -> Any:
        place, first_line = COMMANDS[str(self.name)]
        module, _, attribute = place.partition(":")
        found = getattr(import_module(f"runnable.cli.{module}"), attribute)
        if isinstance(found, typer.Typer):
            group = typer.main.get_group(found)
            return group.make_context(info_name, *given, **extra)
        alone = commands(first_line)
        alone.command(self.name)(found)
        return typer.main.get_command(alone).make_context(info_name, *given, **extra)


def app(arguments: list[str] | None = None) -> None:
    """Run a command.

    Args:
        arguments: Of the command line; those of this process, if not given.
    """
    every = commands(
        "Run tracked pipelines, and look at their runs.", add_completion=True
    )
    every.callback()(_options)
    group = typer.main.get_group(every)
    install, show = typer.main.get_install_completion_arguments()
    group.params += [install, show]
    for name, (_, first_line) in COMMANDS.items():
        group.add_command(_NotYetImported(name, help=first_line))
    group(arguments, prog_name="runnable")
