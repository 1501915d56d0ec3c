"""The command line: which commands there are."""

import typer

from runnable.cli import execute, inspect, nodes, runs

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
    help="Run tracked pipelines, and look at their runs.",
)

app.command("execute")(execute.execute)
app.command("retry")(execute.retry)
app.command("check")(execute.check)
app.command("timeline")(runs.timeline)
app.add_typer(runs.app, name="runs")
app.add_typer(inspect.config_app, name="config")
app.command("plugins")(inspect.plugins)
app.command("schema")(inspect.schema)
# For whoever has steps run elsewhere, in commands that nobody types.
app.command("execute-single-node", hidden=True)(nodes.execute_single_node)
app.command("fan", hidden=True)(nodes.fan)
app.command("execute-job", hidden=True)(nodes.execute_job)


def main() -> None:
    """Run the command line, and exit with what it came to."""
    app()
