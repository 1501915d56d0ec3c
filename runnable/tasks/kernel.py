"""Run a notebook in a kernel; loaded with the first one, since that takes a while."""

# The packages of notebooks have no complete types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

import asyncio
import contextlib
import pickle
import re
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import nbformat
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError
from nbformat import NotebookNode

from runnable.capture import environment_of_step
from runnable.tasks.errors import CommandCallError

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_MISSING = "missing"
_SHOWN_LINES = 20
# Runs in the kernel, after the last cell. A value that cannot be sent is named.
_SEND = """
def _send(names, path):
    import cloudpickle
    known, sent = globals(), {{}}
    for name in names:
        if name not in known:
            sent[name] = ("missing", None)
            continue
        try:
            sent[name] = ("value", cloudpickle.dumps(known[name], 5))
        except Exception as error:
            sent[name] = ("refused", f"{{type(error).__name__}}: {{error}}")
    with open(path, "wb") as file:
        cloudpickle.dump(sent, file)
_send({names!r}, {path!r})
"""


async def run_notebook(
    path: Path,
    parameters: str,
    names: Sequence[str],
    working_directory: str,
    keep: Callable[[str], None],
) -> list[object]:
    """Run a notebook to its end.

    Args:
        path: The notebook.
        parameters: Code that sets its parameters.
        names: Variables to be read afterwards.
        working_directory: Of the kernel.
        keep: Gets the text of the notebook with its outputs, also after a failure.

    Returns:
        The values of the variables.

    Raises:
        CommandCallError: If it cannot be read, a cell fails, or a variable is missing.
    """
    notebook = await asyncio.to_thread(_read, path)
    injected = _inject(notebook, parameters)
    # Its socket's names have to be short.
    folder = await asyncio.to_thread(tempfile.mkdtemp, prefix="runnable-")
    running = _Running(notebook, injected, path, Path(folder))
    try:
        return await running.run(names, working_directory)
    finally:
        text: str = nbformat.writes(notebook)  # type: ignore[no-untyped-call]  # theirs
        await asyncio.to_thread(keep, text)
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


def _read(path: Path) -> NotebookNode:
    try:
        with path.open(encoding="utf-8") as file:
            notebook: NotebookNode = nbformat.read(file, as_version=4)  # type: ignore[no-untyped-call]  # theirs
    except OSError as error:
        raise CommandCallError(f"cannot read the notebook {path}: {error}") from error
    except (ValueError, AttributeError, nbformat.ValidationError) as error:
        problem = f"{path} is no notebook that can be read: {error}"
        raise CommandCallError(problem) from error
    spec = notebook.metadata.get("kernelspec", {})
    language = spec.get("language") or "python"
    if language != "python":
        raise CommandCallError(f"{path} is written in {language}, not in Python")
    return notebook


def _inject(notebook: NotebookNode, code: str) -> int:
    """Put the parameters into a cell after the one for them; return its index."""
    cells = notebook.cells
    tags = [cell.metadata.get("tags", []) for cell in cells]
    cell = _new_cell(code, "injected-parameters")
    for index, found in enumerate(tags):
        if "injected-parameters" in found:
            cells[index] = cell  # it has been run before, and saved
            return index
    places = [index for index, found in enumerate(tags) if "parameters" in found]
    index = places[0] + 1 if places else 0
    cells.insert(index, cell)
    return index


def _new_cell(code: str, *tags: str) -> NotebookNode:
    cell: NotebookNode = nbformat.v4.new_code_cell(code, metadata={"tags": list(tags)})  # type: ignore[no-untyped-call]  # theirs
    return cell


class _ThisInterpreter(KernelSpecManager):
    """Knows one kernel, which uses the packages that this process uses."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        start = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        return KernelSpec(argv=start, language="python", display_name=kernel_name)


class _Client(NotebookClient):
    """Passes on what cells write, as it comes."""

    def output(
        self,
        outs: list[NotebookNode],
        msg: dict[str, Any],
        display_id: str | None,
        cell_index: int,
    ) -> NotebookNode | None:
        if msg["msg_type"] == "stream":
            content = msg["content"]
            getattr(sys, content["name"]).write(content["text"])
        return super().output(outs, msg, display_id, cell_index)


class _Running:
    """One run of a notebook, from the start of its kernel to its end."""

    def __init__(
        self, notebook: NotebookNode, injected: int, path: Path, folder: Path
    ) -> None:
        self._notebook = notebook
        self._injected = injected
        self._path = path
        self._values = folder / "values"
        self._noise = folder / "noise"
        self._manager = AsyncKernelManager(
            kernel_spec_manager=_ThisInterpreter(),
            connection_file=str(folder / "kernel.json"),
        )
        if sys.platform != "win32":
            # No ports, which kernels that start at once might both choose.
            self._manager.transport = "ipc"
            self._manager.ip = str(folder / "k")
        self._client = _Client(
            notebook,
            km=self._manager,
            timeout=None,
            # One output for each stream of a cell: a secret may come in pieces.
            coalesce_streams=True,
        )

    async def run(self, names: Sequence[str], working_directory: str) -> list[object]:
        # nbclient takes a cancellation for the death of its kernel; so it is stopped by
        # the kernel itself, which is ended.
        cells = asyncio.create_task(self._run(names, working_directory))
        try:
            await asyncio.wait({cells})
        except asyncio.CancelledError:
            await self._kill()
            await asyncio.wait({cells})
            cells.exception()
            raise
        return cells.result()

    async def _run(self, names: Sequence[str], working_directory: str) -> list[object]:
        client = self._client
        client.reset_execution_trackers()
        try:
            await self._start(working_directory)
            for index, cell in enumerate(tuple(self._notebook.cells)):
                await self._run_cell(cell, index)
            return await self._read_values(names) if names else []
        finally:
            await self._end()

    async def _start(self, working_directory: str) -> None:
        # Output of cells comes in messages; this is the output of the kernel itself.
        with self._noise.open("wb") as noise:
            await self._client.async_start_new_kernel(
                cwd=working_directory,
                env=environment_of_step(),
                stdout=noise,
                stderr=noise,
            )
        try:
            await self._client.async_start_new_kernel_client()
        except RuntimeError as error:
            problem = f"the kernel for {self._path} does not start: {error}"
            raise CommandCallError(problem + self._last_words()) from None

    def _last_words(self) -> str:
        lines = self._noise.read_text(errors="replace").strip().splitlines()
        return "".join(f"\n    {line}" for line in lines[-_SHOWN_LINES:])

    async def _run_cell(self, cell: NotebookNode, index: int) -> None:
        try:
            await self._client.async_execute_cell(cell, index)
        except CellExecutionError as error:
            raise CommandCallError(self._explain(cell, index, error)) from None
        except DeadKernelError:
            problem = f"{self._where(index)}: its kernel has ended"
            raise CommandCallError(problem + self._last_words()) from None

    def _where(self, index: int) -> str:
        if index == self._injected:
            return f"the notebook {self._path}, in the cell that sets its parameters"
        number = index + 1 - (index > self._injected)
        total = len(self._notebook.cells) - 1
        return f"the notebook {self._path}, in cell {number} of {total}"

    def _explain(
        self, cell: NotebookNode, index: int, error: CellExecutionError
    ) -> str:
        errors = [out for out in cell.outputs if out.output_type == "error"]
        lines = errors[-1].traceback if errors else [str(error)]
        traceback = _COLOURS.sub("", "\n".join(lines))
        what = f"{error.ename}: {error.evalue}"
        return f"{self._where(index)}: {what}\n{traceback}"

    async def _read_values(self, names: Sequence[str]) -> list[object]:
        code = _SEND.format(names=list(names), path=str(self._values))
        cells = self._notebook.cells
        cells.append(_new_cell(code))
        try:
            await self._run_cell(cells[-1], len(cells) - 1)
        finally:
            cells.pop()
        return await asyncio.to_thread(self._loaded, names)

    def _loaded(self, names: Sequence[str]) -> list[object]:
        sent = pickle.loads(self._values.read_bytes())
        for name in names:
            how, content = sent[name]
            if how == _MISSING:
                raise CommandCallError(
                    f"the notebook {self._path} has no variable {name!r} at its end, "
                    "which its task returns"
                )
            if how == "refused":
                raise CommandCallError(
                    f"the notebook {self._path} cannot return {name!r}: {content}"
                )
        return [pickle.loads(sent[name][1]) for name in names]

    async def _end(self) -> None:
        """End the kernel: politely, unless it has ended already."""
        manager, client = self._manager, self._client.kc
        try:
            if manager.has_kernel and await manager.is_alive():
                await manager.shutdown_kernel()
        finally:
            if client is not None:
                client.stop_channels()
            await manager.cleanup_resources()

    async def _kill(self) -> None:
        """End the kernel and everything that it has started, at once."""
        with contextlib.suppress(RuntimeError, ProcessLookupError):
            # There is none yet, or no longer.
            await self._manager.signal_kernel(signal.SIGKILL)
