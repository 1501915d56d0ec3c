"""The command line: which commands there are."""

from typing import Annotated

import typer

from runnable.cli import argo, execute, inspect, nodes, pictures, results, runs, ui

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
    help="Run tracked pipelines, and look at their runs.",
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(version("runnable"))
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print it."),
    ] = False,
) -> None:
    """Run tracked pipelines, and look at their runs."""
    del version


app.command("execute")(execute.execute)
app.command("retry")(execute.retry)
app.command("check")(execute.check)
app.command("draw")(pictures.draw)
app.command("timeline")(runs.timeline)
app.command("logs")(results.logs)
app.command("artifacts")(results.artifacts)
app.add_typer(runs.app, name="runs")
app.command("ui")(ui.ui)
app.add_typer(inspect.config_app, name="config")
app.command("plugins")(inspect.plugins)
app.command("schema")(inspect.schema)
# For orchestrators that run steps in processes of their own.
app.command("execute-single-node")(nodes.execute_single_node)
app.command("fan")(nodes.fan)
app.command("end")(nodes.end)
app.add_typer(argo.app, name="argo")
app.command("execute-job")(nodes.execute_job)
