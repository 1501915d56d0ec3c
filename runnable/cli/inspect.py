"""Commands that look: `config show`, `plugins`, `schema` and `migrate`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from runnable.cli.arguments import AsJson, Config, Parameters, Verbose, commands
from runnable.cli.outcome import Exit, FailedError, told_to_the_shell
from runnable.cli.tables import table

if TYPE_CHECKING:
    from runnable.scope.options import Options, Setting

config_app = commands("Show the effective settings and their sources.")


@config_app.command("show")
def show(
    config: Config = None,
    parameters: Parameters = None,
    as_json: AsJson = False,
    verbose: Verbose = False,
) -> None:
    """Print the effective settings and their sources."""
    with told_to_the_shell(as_json=as_json, verbose=verbose) as answer:
        from runnable.scope.options import Options

        options = Options(
            configuration_file=str(config or ""),
            parameters_file=str(parameters or ""),
        )
        settings = _explain(options)
        answer.give([setting._asdict() for setting in settings])
        rows = [(it.name, _shown(it.value), it.source) for it in settings]
        answer.say(table(("setting", "value", "from"), rows))


def _explain(options: "Options") -> "list[Setting]":
    from runnable.sdk.services import explain_settings

    return explain_settings(options)


def _shown(value: object) -> str:
    import json

    return value if isinstance(value, str) else json.dumps(value, default=str)


def plugins(as_json: AsJson = False, verbose: Verbose = False) -> None:
    """List installed services, tasks and steps.

    A plugin that cannot be loaded is listed with the reason.
    """
    with told_to_the_shell(as_json=as_json, verbose=verbose) as answer:
        from runnable.sdk.services import installed_plugins

        found = installed_plugins()
        answer.give([it._asdict() for it in found])  # pyright: ignore[reportPrivateUsage]  # public in named tuples
        rows = [(it.kind, it.name, it.package, it.problem or it.value) for it in found]
        answer.say(table(("kind", "type", "package", "class, or what is wrong"), rows))


def schema(
    events: Annotated[
        bool, typer.Option("--events", help="That of the events of runs.")
    ] = False,
) -> None:
    """Print the JSON schema of pipeline files.

    Editors use it to complete and check YAML.
    """
    with told_to_the_shell(as_json=True) as answer:
        from runnable.events.schema import event_schema
        from runnable.sdk.yaml_schema import pipeline_schema

        answer.give(event_schema() if events else pipeline_schema())


def migrate(
    folder: Annotated[
        str, typer.Argument(help="Its Python, YAML and requirements files are read.")
    ],
    as_json: AsJson = False,
    verbose: Verbose = False,
) -> None:
    """Find what has to change in a project that was written for version 0.50.

    Python files are read, not run. The functions of YAML pipelines are imported: call
    it where you execute them.
    """
    with told_to_the_shell(as_json=as_json, verbose=verbose) as answer:
        from runnable.cli.execute import import_from_here
        from runnable.sdk.migration import migration_findings

        place = Path(folder)
        if not place.is_dir():
            raise FailedError(f"{folder!r} is no folder")
        import_from_here()
        found = [*migration_findings(place)]
        answer.give([{"place": it.place, "text": it.text} for it in found])
        for it in found:
            answer.say(str(it))
        if found:
            raise FailedError(f"{len(found)} to change", Exit.FAILED)
        answer.say("Nothing has to change.")
