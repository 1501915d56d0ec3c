"""References to the definition of a pipeline or a job, as text.

Theory of operation. Whatever runs a step in another process finds the pipeline by such
a text: a YAML file; a script; a module that is run by `-m`; or a function, which
executes the pipeline or returns it, by the name of its module or by its file.
"""

import asyncio
import importlib
import importlib.util
import inspect
import runpy
import sys
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, cast

from runnable.errors import DefinitionError

Program = Callable[[], object]
"""Executes a pipeline or a job, or returns one."""
_YAML = {".yaml", ".yml"}
_FORMS = "a YAML file, a script, a module, package.module:function, or file.py:function"


class Reference(NamedTuple):
    """A reference, taken apart.

    Example:
        >>> Reference.parse("app.flows:build")[1:]
        (None, 'app.flows', 'build')
        >>> Reference.parse("flows/nightly.py:build").file
        PosixPath('flows/nightly.py')
    """

    text: str
    file: Path | None = None
    module: str = ""
    function: str = ""

    @classmethod
    def parse(cls, text: str) -> "Reference":
        """Take a reference apart; nothing is read yet.

        Args:
            text: As a user or the library wrote it.

        Raises:
            DefinitionError: If it is none.
        """
        if _is_file(text):
            return cls(text, Path(text))
        place, colon, function = text.rpartition(":")
        if not colon:
            place, function = text, ""
        if colon and not function.isidentifier():
            raise DefinitionError(f"{text!r} names no function; write {_FORMS}")
        if colon and _is_file(place):
            if Path(place).suffix in _YAML:
                raise DefinitionError(f"{text!r}: a YAML file has no functions")
            return cls(text, Path(place), "", function)
        if not all(part.isidentifier() for part in place.split(".")):
            raise DefinitionError(f"there is no file {text!r}; write {_FORMS}")
        return cls(text, None, place, function)

    @property
    def is_yaml(self) -> bool:
        """True for a YAML file."""
        return self.file is not None and self.file.suffix != ".py"

    def folders(self) -> list[str]:
        """Return where imports have to look for it, beside the working directory.

        Raises:
            DefinitionError: If there is no such file.
        """
        if self.file is None:
            return []
        if not self.file.is_file():
            raise DefinitionError(f"there is no file {self.file}")
        folder = self.file.parent.absolute()
        return [str(_top(folder) if self.function else folder)]

    def program(self, arguments: Sequence[str] = ()) -> Program:
        """Return what executes the pipelines of the definition.

        It changes `sys.argv` and imports modules, so it is for a process that does
        nothing else; `folders` must be on `sys.path`.

        Args:
            arguments: Those of a script, or a module that is run.

        Raises:
            DefinitionError: If there is none, or no such function.
        """
        if self.is_yaml:
            from runnable.sdk.yaml_pipeline import load_pipeline  # only who needs it

            assert self.file is not None  # noqa: S101 - it is YAML
            return load_pipeline(self.file).execute
        if self.function:
            return self._called(_function_of(self._imported(), self.function))
        if self.file is not None:
            return partial(_run_script, self.file, arguments)
        return self._dotted(arguments)

    def _imported(self) -> object:
        if self.file is None:
            return _import(self.module)
        top = _top(self.file.parent.absolute())
        relative = self.file.absolute().relative_to(top).with_suffix("")
        module = _import(".".join(relative.parts))
        found = getattr(module, "__file__", None) or ""
        if not Path(found).exists() or not self.file.samefile(found):
            raise DefinitionError(
                f"{self.text!r}: another module of this name is imported from {found}; "
                "rename one of them"
            )
        return module

    def _dotted(self, arguments: Sequence[str]) -> Program:
        """Return the function of `package.module.function`, or run a module."""
        module, _, name = self.module.rpartition(".")
        if module:
            found = getattr(_import(module), name, None)
            if callable(found):
                return self._called(found)
            if found is not None and not inspect.ismodule(found):
                raise DefinitionError(
                    f"{self.text!r} is a {type(found).__name__}, not a function"
                )
        if _spec(self.module) is None:
            raise DefinitionError(
                f"there is no function {self.text!r}, and no module or file of this "
                f"name; write {_FORMS}"
            )
        return lambda: _run_module(self.module, arguments)

    def _called(self, function: Callable[[], object]) -> Program:
        def call() -> object:
            returned = function()
            if inspect.iscoroutine(returned):
                running = cast("Coroutine[Any, Any, object]", returned)
                return asyncio.run(running)  # noqa: TID251 - the process is its own
            return returned

        return call


def _is_file(text: str) -> bool:
    path = Path(text)
    return path.suffix in {".py", *_YAML} or path.is_file()


def _top(folder: Path) -> Path:
    """Return the folder in which the package of a folder is."""
    while (folder / "__init__.py").is_file():
        folder = folder.parent
    return folder


def _spec(module: str) -> object:
    try:
        return importlib.util.find_spec(module)
    except (ImportError, ValueError):
        return None


def _import(module: str) -> object:
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        # One that the module imports is its own problem.
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise
        raise DefinitionError(f"there is no module {module!r}: {error}") from error


def _function_of(module: object, name: str) -> Callable[[], object]:
    found: object = getattr(module, name, None)
    where = getattr(module, "__name__", "")
    if found is None:
        raise DefinitionError(f"there is no function {name!r} in {where}")
    if not callable(found):
        kind = type(found).__name__
        raise DefinitionError(f"{where}.{name} is a {kind}, not a function")
    return cast("Callable[[], object]", found)


def _run_script(file: Path, arguments: Sequence[str]) -> None:
    """Run a script as `python FILE` does, which makes `__file__` absolute."""
    sys.argv[:] = [str(file), *arguments]
    runpy.run_path(str(file.absolute()), run_name="__main__")


def _run_module(module: str, arguments: Sequence[str]) -> None:
    """Run a module as `python -m MODULE` does."""
    sys.argv[:] = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
