"""The working directory, which may be gone."""

import os
from pathlib import Path

from runnable.errors import ConfigurationError


def working_directory_text() -> str:
    """Return the path of the working directory; empty if it was deleted."""
    try:
        return os.getcwd()  # noqa: PTH109 - each run asks for it several times
    except FileNotFoundError:
        return ""


def working_directory() -> Path | None:
    """Return the working directory; None if it was deleted."""
    text = working_directory_text()
    return Path(text) if text else None


def absolute(path: str | os.PathLike[str]) -> Path:
    """Make a path absolute.

    Args:
        path: A path; one that is not absolute starts at the working directory.

    Raises:
        ConfigurationError: If it is relative, and the working directory was deleted.
    """
    given = Path(path)
    if given.is_absolute():
        return given
    here = working_directory()
    if here is None:
        raise ConfigurationError(
            f"{os.fspath(path)!r} is a path within the working directory, which does "
            "not exist any more: give an absolute path, or change the directory first "
            "(os.chdir)"
        )
    return here / given
