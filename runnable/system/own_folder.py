"""Make the folders in which the library keeps things."""

import contextlib
from pathlib import Path

_IGNORE_ALL = "*\n"


def make_own_folder(folder: Path) -> None:
    r"""Make a folder that git ignores; one that exists stays as it is.

    A run log that git reports as a change would make the code version of each later run
    one that cannot be relied on.

    Args:
        folder: Its path; missing parents are made as well.

    Example:
        >>> folder = getfixture("tmp_path") / "logs"
        >>> make_own_folder(folder)
        >>> (folder / ".gitignore").read_text()
        '*\n'
    """
    if folder.exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    with (
        contextlib.suppress(FileExistsError),
        (folder / ".gitignore").open("x", encoding="utf-8") as file,
    ):
        file.write(_IGNORE_ALL)


def ignore_file(folder: Path) -> list[str]:
    """Return the file by which git ignores a folder, if `make_own_folder` wrote it.

    Example:
        >>> folder = getfixture("tmp_path") / "logs"
        >>> make_own_folder(folder)
        >>> [Path(file).name for file in ignore_file(folder)]
        ['.gitignore']
        >>> ignore_file(folder.parent)
        []
    """
    file = folder / ".gitignore"
    with contextlib.suppress(OSError, UnicodeDecodeError):
        if file.read_text(encoding="utf-8") == _IGNORE_ALL:
            return [str(file)]
    return []
