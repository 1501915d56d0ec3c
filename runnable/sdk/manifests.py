"""Describe the pipeline of a program to a workflow engine, without running it."""

from runnable.engine import Manifest
from runnable.errors import DefinitionError
from runnable.scope.launcher import launched_by
from runnable.scope.options import Launcher, Options
from runnable.sdk.discovery import Planned, collect
from runnable.sdk.references import Reference
from runnable.sdk.start import prepared


def manifest_of(reference: Reference, options: Options) -> Manifest:
    """Return the manifest of the pipeline that a program executes.

    Args:
        reference: The program.
        options: Used where it says nothing itself.

    Raises:
        DefinitionError: If it executes nothing, or several pipelines.
        ConfigurationError: If its executor describes no runs, or the engine cannot run
            the pipeline.
    """
    made: list[Manifest] = []

    def look_at(planned: Planned) -> None:
        if planned.request.job is not None:
            return
        launched = Launcher(options, reference=reference.text)
        with launched_by(launched), prepared(*planned) as starting:
            made.append(starting.manifest())

    collect(reference.program(), options, look_at, whole_process=True)
    if len(made) != 1:
        raise DefinitionError(
            f"{reference.text} executes {len(made)} pipelines; a manifest is of one. "
            "Name a function that makes it: module:function, or file.py:function"
        )
    return made[0]
