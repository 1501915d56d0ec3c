"""Notebooks as tasks.

Theory of operation. A notebook runs once, in a kernel that is a process of its own and
uses this interpreter. Its parameters stand in a cell of their own, as literals. What
the task returns is read from the kernel when the last cell has ended, through a file
that only this run knows. The notebook with its outputs is kept in the catalog, also
after a failure, and nowhere else.
"""

import hashlib
import keyword
import math
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, cast

from pydantic import JsonValue, field_validator

from runnable import defaults
from runnable.capture import environment_of_step
from runnable.errors import DefinitionError
from runnable.graph import shortened_name
from runnable.parameters import Offer
from runnable.scope import StepScope
from runnable.scope.injection import Provide, inject
from runnable.system.working_directory import absolute
from runnable.tasks.base import BaseTaskType, Call

if TYPE_CHECKING:
    # Whoever only defines a pipeline needs none of what runs it.
    from runnable.catalog import BaseCatalog
    from runnable.context import JobContext, PipelineContext
    from runnable.secrets import Masker

_ENGINE_ARGUMENTS = frozenset({
    "parameters",
    "cwd",
    "log_output",
    "progress_bar",
    "verbose",
    "debug_later",
    "save_profiling_data",
})


class NotebookTaskType(BaseTaskType):
    """Runs a notebook in a kernel of its own, once.

    Example:
        >>> NotebookTaskType(command="report.ipynb").task_type
        'notebook'
    """

    task_type: str = "notebook"
    optional_ploomber_args: dict[str, object] = {}
    """`parameters`: more variables; `cwd`: the working directory of the kernel. Other
    arguments that version 0.50 passed on to its engine have no effect."""

    @field_validator("command")
    @classmethod
    def _is_notebook(cls, path: str) -> str:
        if not path.endswith(".ipynb"):
            raise DefinitionError(
                f"{path!r} is no notebook: its name has to end with .ipynb"
            )
        return path

    @field_validator("optional_ploomber_args")
    @classmethod
    def _are_known(cls, arguments: dict[str, object]) -> dict[str, object]:
        unknown = sorted(arguments.keys() - _ENGINE_ARGUMENTS)
        if unknown:
            raise DefinitionError(
                f"optional_ploomber_args: there is no argument {unknown[0]!r}. Known: "
                f"{', '.join(sorted(_ENGINE_ARGUMENTS))}"
            )
        return arguments

    def identity(self) -> JsonValue:
        """Return also what the notebook has in it."""
        content = self.path.read_bytes()
        return {**self.describe(), "content": hashlib.sha256(content).hexdigest()}

    def check(self) -> None:
        """Refuse a notebook that is not there."""
        if not self.path.is_file():
            raise DefinitionError(f"there is no notebook {self.path}")

    @property
    def path(self) -> Path:
        """Where the notebook is."""
        # A task with a directory of its own still is in the caller's project.
        project = Path(environment_of_step().get(defaults.CALLER_DIRECTORY, ""))
        return project / self.command

    @property
    def working_directory(self) -> str:
        """Where the kernel works."""
        chosen = self.optional_ploomber_args.get("cwd") or self._folder
        return str(chosen or absolute("."))

    def bind(self, offers: Mapping[str, Offer]) -> Call:
        """Return the call that runs the notebook."""
        variables = {
            name: offer.load() for name, offer in offers.items() if not offer.is_object
        }
        more = self.optional_ploomber_args.get("parameters")
        if isinstance(more, Mapping):
            variables |= more
        return Call(_Notebook(self, assignments(variables)).run)


class _Notebook:
    """One run of a notebook."""

    def __init__(self, task: NotebookTaskType, parameters: str) -> None:
        self._task = task
        self._parameters = parameters

    async def run(self) -> object:
        """Run it, keep it with its outputs, and return what the task returns."""
        try:
            from runnable.tasks.kernel import run_notebook
        except ImportError as error:
            problem = (
                f"a notebook task needs {error.name}: pip install 'runnable[notebook]'"
            )
            raise DefinitionError(problem) from error
        names = [declared.name for declared in self._task.returns]
        values = await run_notebook(
            self._task.path,
            self._parameters,
            names,
            self._task.working_directory,
            _keep(self._task.command),
        )
        return tuple(values) if names else None


class Keep:
    """Keeps the notebook of one step in the catalog."""

    def __init__(
        self, name: str, catalog: "BaseCatalog", masker: "Masker", run_id: str
    ) -> None:
        self._name = name
        self._catalog = catalog
        self._masker = masker
        self._run_id = run_id

    def __call__(self, notebook: str) -> None:
        """Keep it, without secrets."""
        content = self._masker.text(notebook)
        self._catalog.put_text(self._name, content, run_id=self._run_id)


@inject
def _keep(
    command: str,
    *,
    catalog: "BaseCatalog" = Provide["catalog"],
    masker: "Masker" = Provide["masker"],
    run_context: "PipelineContext | JobContext" = Provide["run_context"],
    step: StepScope | None = Provide["step"],
) -> Keep:
    """Choose where the notebook goes; must be called in the code of the step."""
    tag = "" if step is None else _tag(step.path, run_context)
    return Keep(_output_name(command, tag), catalog, masker, run_context.run_id)


def _output_name(command: str, tag: str) -> str:
    path = PurePath(command)
    folder = path.parent
    if path.is_absolute() or ".." in path.parts:
        folder = PurePath()  # nothing is kept outside the catalog of the run
    return (folder / f"{path.stem}-{tag}_out.ipynb").as_posix()


def _tag(step: str, context: "PipelineContext | JobContext") -> str:
    """Return a tag that distinguishes the notebook of this step in its run."""
    from runnable.context import JobContext

    if isinstance(context, JobContext):
        return ""
    if "." in step:
        return shortened_name(step, step)  # within a branch
    letters = _letters(step)
    nodes = context.dag.nodes if context.dag else ()
    if sum(_letters(name) == letters for name in nodes) > 1:
        return shortened_name(step, step)
    return shortened_name(letters, step)


def _letters(name: str) -> str:
    return "".join(filter(str.isalnum, name))


def assignments(values: Mapping[str, object]) -> str:
    """Return code that sets variables.

    Args:
        values: JSON values by name; those that are no names of variables are left out.

    Example:
        >>> print(assignments({"x": [1, None], "text": "a'b", "my-name": 1}))
        # Parameters
        x = [1, None]
        text = "a'b"
    """
    lines = [
        f"{name} = {_literal(value)}"
        for name, value in values.items()
        if name.isidentifier() and not keyword.iskeyword(name)
    ]
    return "\n".join(["# Parameters", *lines])


def _literal(value: object) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        return f'float("{value}")'
    if isinstance(value, dict):
        content = cast("dict[object, object]", value)
        items = (f"{key!a}: {_literal(item)}" for key, item in content.items())
        return f"{{{', '.join(items)}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_literal, cast('list[object]', value)))}]"
    # A file in UTF-8 has no place for half a surrogate pair; an escape has.
    return ascii(value)
