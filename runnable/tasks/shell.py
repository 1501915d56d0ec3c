"""Shell commands as tasks.

Theory of operation. A command is run by `/bin/sh -c`, as it is written: values never
become part of it, they are variables of its environment. If the task returns something,
an EXIT trap in front of the command has the environment written to a pipe when the
shell ends, each variable ended by NUL, so that values may be any text. Output is passed
on as it comes, by the caller. The shell is the first of a process group of
its own, which is ended as a whole.
"""

import codecs
import contextlib
import json
import os
import re
import selectors
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from typing import IO, TextIO

from pydantic import JsonValue, model_validator

from runnable.capture import environment_of_step
from runnable.concurrency import call_later
from runnable.errors import DefinitionError, RunnableError
from runnable.parameters import Offer, json_or_text
from runnable.parameters.errors import BindingError
from runnable.tasks.base import BaseTaskType, Call
from runnable.tasks.errors import CommandCallError

_OUTPUT = "_RUNNABLE_OUTPUT"
_TRAP = 'trap \'"$_RUNNABLE_ENV" -0 > "$_RUNNABLE_OUTPUT"\' EXIT\n'
_ENV = "_RUNNABLE_ENV"
_LONGEST_BYTES = 128 * 1024 - 1  # what Linux allows for one variable
_SHOWN_LINES = 20
_KEPT_LETTERS = 10_000
_GRACE_SECONDS = 5.0
_PIECE_BYTES = 65536
_PIECE_SECONDS = 0.1


class ShellTaskType(BaseTaskType):
    """Runs a command with `/bin/sh`; parameters are variables of its environment.

    Example:
        >>> ShellTaskType(command="export words=$(echo $text | wc -w)").task_type
        'shell'
    """

    task_type: str = "shell"

    @model_validator(mode="after")
    def _returns_no_objects(self) -> "ShellTaskType":
        for declared in self.returns:
            if declared.kind == "object":
                raise DefinitionError(
                    f"a shell task cannot return the object {declared.name!r}: it "
                    "returns text, numbers and other JSON in variables that it exports"
                )
        return self

    def bind(self, offers: Mapping[str, Offer]) -> Call:
        """Return the call that runs the command."""
        variables = _variables(self.command, offers)
        running = _Command(self, variables, self._folder)
        return Call(running.run, stop=running.stop, given=variables.keys())

    def check_given(self, offers: Mapping[str, Offer]) -> list[RunnableError]:
        """Check whether values can become variables, as the command uses them."""
        try:
            _variables(self.command, offers)
        except BindingError as error:
            return [error]
        return []


def _variables(command: str, offers: Mapping[str, Offer]) -> dict[str, str]:
    """Turn parameters into variables: text as it is written, the rest as JSON."""
    variables: dict[str, str] = {}
    for name, offer in offers.items():
        if offer.is_object or not name or "=" in name or "\0" in name:
            continue  # no variable can hold it, or have this name
        value = offer.load()
        text = value if isinstance(value, str) else json.dumps(value)
        if isinstance(value, int | float) and isinstance(offer.text, str):
            text = offer.text  # 1.10 stays 1.10
        problem = _why_not(text)
        if not problem:
            variables[name] = text
        elif re.search(rf"\b{re.escape(name)}\b", command):
            raise BindingError(command, name, f"{text[:40]!r}...", f"fit: {problem}")
    return variables


def _why_not(text: str) -> str:
    try:
        encoded = os.fsencode(text)
    except UnicodeEncodeError as error:
        return f"a variable holds no {text[error.start]!r}"
    if b"\0" in encoded:
        return "a variable holds no NUL"
    if len(encoded) > _LONGEST_BYTES:
        return f"a variable holds {_LONGEST_BYTES} bytes, and it has {len(encoded)}"
    return ""


class _Command:
    """One run of a command."""

    def __init__(
        self, task: ShellTaskType, variables: Mapping[str, str], folder: str
    ) -> None:
        self._task = task
        self._variables = variables
        self._folder = folder or None
        self._process: subprocess.Popen[bytes] | None = None
        self._unwanted = False
        self._errors = _Passing(sys.stderr)
        self._exported = bytearray()

    def run(self) -> object:
        """Run it to its end.

        Returns:
            The values of what the task returns, in order.

        Raises:
            CommandCallError: If it ends with another status than 0, or has not
                exported a variable that it returns.
        """
        if self._unwanted:
            raise CommandCallError("the command was ended before it began")
        status = self._execute()
        if status:
            raise CommandCallError(self._failure(status))
        return tuple(self._returned()) if self._task.returns else None

    def _execute(self) -> int:
        with contextlib.ExitStack() as stack:
            reading, writing = (stack.enter_context(it) for it in _pipe())
            self._process = self._start(writing.fileno())
            process = stack.enter_context(self._process)
            writing.close()
            if self._unwanted:  # just before it started
                self.stop()
            try:
                self._pass_on(process, reading)
                return process.wait()
            except BaseException:
                self.stop()
                raise

    def _start(self, exports: int) -> "subprocess.Popen[bytes]":
        environment = {**environment_of_step(), **self._variables}
        command = self._task.command.strip()
        if self._task.returns:
            environment[_OUTPUT] = f"/dev/fd/{exports}"
            environment[_ENV] = shutil.which("env") or "env"
            command = _TRAP + command
        return subprocess.Popen(  # noqa: S603 - the author's own command
            ["/bin/sh", "-c", command],
            env=environment,
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=[exports],
            start_new_session=True,
        )

    def _pass_on(self, process: "subprocess.Popen[bytes]", exports: IO[bytes]) -> None:
        """Pass on what it writes, until it has ended."""
        takers = {
            process.stdout: _Passing(sys.stdout),
            process.stderr: self._errors,
            exports: self._exported.extend,
        }
        with selectors.DefaultSelector() as selector:
            for pipe, take in takers.items():
                if pipe is not None:
                    selector.register(pipe, selectors.EVENT_READ, take)
            over = False
            # Background processes that it started may keep the pipes open.
            while selector.get_map() and not over:
                ended = process.poll() is not None
                ready = selector.select(0 if ended else _PIECE_SECONDS)
                for key, _ in ready:
                    _take_piece(key, selector)
                over = ended and not ready

    def stop(self) -> None:
        """End it, and everything it has started: politely, then by force."""
        self._unwanted = True
        process = self._process
        if process is None or process.poll() is not None:
            return
        _signal(process, signal.SIGTERM)
        call_later(_GRACE_SECONDS, _signal, process, signal.SIGKILL)

    def _failure(self, status: int) -> str:
        signalled = status < 0
        how = f"was ended by signal {-status}" if signalled else f"exited with {status}"
        lines = "".join(f"\n    {line}" for line in self._errors.last_lines())
        return f"the command {self._task.command.strip()[:200]!r} {how}{lines}"

    def _returned(self) -> list[JsonValue]:
        pairs = (
            os.fsdecode(pair).partition("=")
            for pair in bytes(self._exported).split(b"\0")
        )
        exported = {name: value for name, _, value in pairs}
        missing = [it.name for it in self._task.returns if it.name not in exported]
        if missing:
            raise CommandCallError(
                f"the command {self._task.command.strip()[:200]!r} has not exported "
                f"{', '.join(missing)}, which its task returns; write: export "
                f"{missing[0]}=..."
            )
        return [json_or_text(exported[it.name]) for it in self._task.returns]


class _Passing:
    """Passes on what comes from a pipe, as text, and remembers the end of it."""

    def __init__(self, target: TextIO) -> None:
        self._target = target
        self._decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
        self._last = ""

    def __call__(self, piece: bytes) -> None:
        """Pass on a piece; an empty one is the end."""
        text = self._decoder.decode(piece, final=not piece)
        if text:
            self._target.write(text)
            self._last = (self._last + text)[-_KEPT_LETTERS:]

    def last_lines(self) -> list[str]:
        """Return the last lines that have come."""
        return self._last.strip().splitlines()[-_SHOWN_LINES:]


def _take_piece(key: selectors.SelectorKey, selector: selectors.BaseSelector) -> None:
    piece = os.read(key.fd, _PIECE_BYTES)
    key.data(piece)
    if not piece:
        selector.unregister(key.fileobj)


def _pipe() -> tuple[IO[bytes], IO[bytes]]:
    reading, writing = os.pipe()
    return open(reading, "rb", buffering=0), open(writing, "wb", buffering=0)


def _signal(process: "subprocess.Popen[bytes]", number: int) -> None:
    # The group is gone if all of it has ended by itself.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)
