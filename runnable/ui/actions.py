"""Resume, cancel and delete runs, for those who have the token.

A run is resumed by a process of its own, `runnable retry`, as a person would. One that
is active in this process is cancelled here; that of another process of this machine is
asked to end if it is a command of this package, which then records its end.
"""

import os
import signal
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from runnable.datastore.errors import RunUnderWayError
from runnable.engine import command_of
from runnable.executor.commands import RUNNABLE
from runnable.ui.library import Library
from runnable.ui.security import is_token, may_act
from runnable.ui.templates import Templates

_COMMANDS = ("execute", "retry")


class Actions:
    """Actions on runs: cancel, resume, delete.

    Args:
        library: The runs.
        templates: Draws pages.
        token: Whoever has it may act; empty if nobody may.
    """

    def __init__(self, library: Library, templates: Templates, token: str) -> None:
        self._library = library
        self._templates = templates
        self._token = token
        self._lock = threading.Lock()
        self._resumed: list[subprocess.Popen[bytes]] = []

    async def sign_in(self, request: Request) -> Response:
        """Have the browser of somebody who has the token remember it."""
        given = request.path_params["token"]
        if not is_token(given, self._token):
            return await self._templates.problem(request, _NOT_ALLOWED, status=403)
        return await self._templates.page(request, "token.html", token=given)

    async def act(self, request: Request) -> Response:
        """Do what a form asks for."""
        if not await may_act(request, self._token):
            return await self._templates.problem(request, _NOT_ALLOWED, status=403)
        run_id, action = request.path_params["run_id"], request.path_params["action"]
        act = {"resume": self._resume, "cancel": self._cancel, "delete": self._delete}
        if action not in act:
            return await self._templates.problem(request, "No such action.", status=404)
        problem = await run_in_threadpool(act[action], run_id)
        if problem:
            return await self._templates.problem(request, problem, status=409)
        if action == "delete":
            return RedirectResponse(request.url_for("runs"), 303)
        address = request.url_for("run", run_id=run_id)
        if action == "resume":
            # Its process takes a moment to start: the page waits for it.
            address = address.include_query_params(follow=1)
        return RedirectResponse(address, 303)

    def _resume(self, run_id: str) -> str:
        """Have a run resumed; return why it cannot be."""
        library = self._library
        file = library.configuration_file
        if file is None or not library.is_shared:
            return (
                "This page was made with services of its own, which another process "
                f"does not have: resume the run there, by execute(resume={run_id!r})."
            )
        summary = library.summary(run_id)
        if summary.status in {"SUCCESS", "PROCESSING"}:
            return f"Run {run_id} is {summary.status}: there is nothing to resume."
        options = [f"--config={file}"] if file else []
        with self._lock:
            self._resumed = [it for it in self._resumed if it.poll() is None]
            self._resumed.append(
                subprocess.Popen(  # noqa: S603 - our own command
                    [*RUNNABLE, "retry", run_id, "--no-progress", *options],
                    stdin=subprocess.DEVNULL,
                    # It goes on when the page is closed.
                    start_new_session=True,
                )
            )
        return ""

    def _cancel(self, run_id: str) -> str:
        """Have a run cancelled; return why it cannot be."""
        library = self._library
        if library.active.cancel(run_id):
            return ""
        owners = [it.owner for it in library.ownership(run_id).claims if not it.path]
        own = [it for it in owners if _is_ours(command_of(it))]
        if any(library.has_others(owner, run_id) for owner in own):
            return (
                f"The process of run {run_id} has other active runs, which would end "
                "as well; cancel it where it was started."
            )
        for owner in own:
            try:
                os.kill(owner.process_id, signal.SIGTERM)
            except OSError as error:
                return f"Its process {owner.process_id} cannot be ended: {error}."
        if own:
            return ""
        return (
            f"Run {run_id} is active in a process that this page must not end; cancel "
            "it where it was started."
        )

    def _delete(self, run_id: str) -> str:
        try:
            self._library.delete([run_id])
        except RunUnderWayError as error:
            return str(error)
        return ""


_NOT_ALLOWED = (
    "This needs the token: open the address that `runnable ui --allow-actions` printed."
)


def _is_ours(command: Sequence[str]) -> bool:
    """Return whether a command is one that records its end when it is terminated."""
    is_ours = any(
        Path(it).name == "runnable" or it == "runnable.cli" for it in command[:3]
    )
    return is_ours and any(it in _COMMANDS for it in command[:5])
