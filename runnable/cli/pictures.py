"""The command that draws pipelines."""

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from runnable.cli.arguments import Config, Parameters, Verbose
from runnable.cli.execute import Definition, importable
from runnable.cli.outcome import FailedError, told_to_the_shell

if TYPE_CHECKING:
    from runnable.pictures import Chart
    from runnable.sdk.discovery import Planned


def draw(
    definition: Definition,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="The file: .svg, .png, .md or .mmd (Mermaid), .dot (Graphviz). "
            "Without it, the SVG is printed.",
        ),
    ] = None,
    run: Annotated[
        str, typer.Option("--run", help="Show the statuses of the run of this id.")
    ] = "",
    show_parameters: Annotated[
        bool, typer.Option("--show-parameters", help="Show what each step returns.")
    ] = False,
    config: Config = None,
    parameters: Parameters = None,
    verbose: Verbose = False,
) -> None:
    """Draw a pipeline.

    A script is run up to its first execute().
    """
    with told_to_the_shell(verbose=verbose) as answer:
        suffix = output.suffix if output is not None else ".svg"
        if suffix not in _FORMATS:
            known = ", ".join(sorted(_FORMATS))
            raise FailedError(f"{output}: draws {known}, not {suffix!r}")
        chart = _chart(definition, run, config, parameters)
        content = _FORMATS[suffix](chart, parameters=show_parameters)
        if output is None:
            sys.stdout.write(content.decode() + "\n")
            return
        output.write_bytes(content)
        answer.say(f"Written to {output}")


def _chart(
    definition: str, run: str, config: Path | None, parameters: Path | None
) -> "Chart":
    from runnable.pictures import chart_of
    from runnable.scope.options import Options
    from runnable.sdk import collect, get_run_log

    options = Options(
        configuration_file=str(config or ""), parameters_file=str(parameters or "")
    )
    planned: list[Planned] = []
    program = importable(definition).program()
    # What a script prints is not part of a picture that is printed.
    with contextlib.redirect_stdout(sys.stderr):
        collect(program, options, planned.append, whole_process=True)
    graphs = [it.request.graph for it in planned if it.request.job is None]
    if not graphs:
        raise FailedError(f"{definition} executes no pipeline, so nothing is drawn")
    counts = get_run_log(run, str(config or "")).counts() if run else None
    return chart_of(graphs[0].described, counts)


def _svg(chart: "Chart", *, parameters: bool) -> bytes:
    from runnable.pictures import as_svg

    return as_svg(chart, parameters=parameters).encode()


def _png(chart: "Chart", *, parameters: bool) -> bytes:
    from runnable.pictures.png import as_png

    return as_png(chart, parameters=parameters)


def _dot(chart: "Chart", *, parameters: bool) -> bytes:
    from runnable.pictures import as_dot

    del parameters
    return f"{as_dot(chart)}\n".encode()


def _mermaid(chart: "Chart", *, parameters: bool) -> bytes:
    from runnable.pictures import as_mermaid

    del parameters
    return f"{as_mermaid(chart)}\n".encode()


def _markdown(chart: "Chart", *, parameters: bool) -> bytes:
    return b"```mermaid\n%b```\n" % _mermaid(chart, parameters=parameters)


_FORMATS = {
    ".svg": _svg,
    ".png": _png,
    ".md": _markdown,
    ".mmd": _mermaid,
    ".dot": _dot,
}
"""The drawing functions, by the suffix of the file."""
