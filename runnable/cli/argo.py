"""Commands for Argo: write a workflow."""

from typing import Annotated

import typer

from runnable.cli.arguments import (
    AsJson,
    Config,
    Parameters,
    Tag,
    Verbose,
    commands,
    tags_of,
)
from runnable.cli.execute import Definition, importable
from runnable.cli.outcome import told_to_the_shell

app = commands("Write pipelines as Argo workflows.")


@app.callback()
def _argo() -> None:
    """Write pipelines as Argo workflows."""


@app.command("render")
def render(
    definition: Definition,
    output: Annotated[
        str,
        typer.Option(
            "--output", "-o", help="The file; - prints it; else as configured."
        ),
    ] = "",
    config: Config = None,
    parameters: Parameters = None,
    tag: Tag = None,
    as_json: AsJson = False,
    verbose: Verbose = False,
) -> None:
    """Write a pipeline as a workflow of Argo; nothing is run.

    Its configuration has `pipeline_executor: {type: argo, ...}`.
    """
    with told_to_the_shell(as_json=as_json, verbose=verbose) as answer:
        from runnable.scope.options import Options
        from runnable.sdk.manifests import manifest_of

        text, tags = tags_of(tag)
        options = Options(
            configuration_file=str(config or ""),
            tag=text,
            tags=tags,
            parameters_file=str(parameters or ""),
        )
        made = manifest_of(importable(definition), options)
        if output == "-":
            answer.say(made.text.rstrip())
            answer.give({"manifest": made.text})
            return
        made.write(output)
        answer.say(f"Wrote {output or made.file}. Hand it to `argo submit`.")
        answer.give({"manifest": output or made.file})
