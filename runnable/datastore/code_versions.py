"""Which version of the user's code runs, asked of git."""

import re
import subprocess
import threading
import time
from pathlib import Path

from runnable.journal import CodeIdentity
from runnable.system.working_directory import working_directory_text

_FRESH_SECONDS = 5.0


class CodeVersions:
    """Identifies the code in the working directory, once in five seconds at most.

    A service that starts a thousand runs at once must not start a thousand processes
    to learn the same answer.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[str, tuple[float, CodeIdentity]] = {}

    def known(self) -> CodeIdentity | None:
        """Return the latest known state of the working directory; git is not called."""
        at, version = self._known.get(working_directory_text(), (0.0, None))
        return version if time.monotonic() - at <= _FRESH_SECONDS else None

    def ask(self) -> CodeIdentity:
        """Identify the code in the working directory; may start git.

        Returns:
            The version; without a commit outside a repository, or without git.
        """
        with self._lock:
            version = self.known()
            if version is None:
                folder = working_directory_text()
                version = _ask_git(Path(folder)) if folder else CodeIdentity()
                self._known[folder] = (time.monotonic(), version)
            return version


def _ask_git(folder: Path) -> CodeIdentity:
    status = _git(folder, "status", "--porcelain=v2", "--branch", "-z")
    if status is None:
        return CodeIdentity()
    commit: str | None = None
    changed: list[str] = []
    entries = iter(status.split("\0"))
    for entry in entries:
        match entry.split(" "):
            case ["#", "branch.oid", oid] if oid != "(initial)":
                commit = oid
            case ["1", *rest]:
                changed.append(" ".join(rest[7:]))
            case ["2", *rest]:
                changed.append(" ".join(rest[8:]))
                next(entries, None)  # a renamed file's old name
            case ["u", *rest]:
                changed.append(" ".join(rest[9:]))
            case ["?", *rest]:
                changed.append(" ".join(rest))
            case _:
                pass  # a header of no interest
    remote = _git(folder, "config", "--get", "remote.origin.url") or ""
    return CodeIdentity(
        code_identifier=commit,
        code_identifier_dependable=bool(commit) and not changed,
        # Without the password that it may carry.
        code_identifier_url=re.sub(r"//[^/@]*@", "//", remote.strip()),
        code_identifier_message=changed or "",
    )


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        finished = subprocess.run(  # noqa: S603 - fixed words, no shell
            ["git", *arguments],  # noqa: S607 - the user's own git
            cwd=folder,
            capture_output=True,
            check=True,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        return None  # no repository, or no git
    return finished.stdout.decode(errors="replace")
