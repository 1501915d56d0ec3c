"""Step paths: dotted names that alternate step and branch.

`step`, `step.branch.step`, ... A step's path has an odd number of parts, a branch's an
even number. Names of branches come from anywhere, such as the items of a map: what
would not be one part of a path is escaped, and equal names are numbered.
"""

import hashlib
import re
import zlib

_LONGEST_BYTES = 200  # a file name has room for 255
_LONGEST_PART = 80
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_UNSAFE = re.compile(r"[.%/\\\x00-\x1f\x7f\ud800-\udfff]")


def join(branch: str, name: str) -> str:
    """Return the path of a step in a branch, or of a branch of a step.

    Args:
        branch: The path of the run or branch that it is in; empty for the root.
        name: Its name, which is one part of a path.

    Returns:
        The path.

    Example:
        >>> join("fit.left", "train")
        'fit.left.train'
    """
    return f"{branch}.{name}" if branch else name


def parent(path: str) -> str:
    """Return the path of the parent of a step or branch; empty for the root.

    Example:
        >>> parent("fit.left.train")
        'fit.left'
    """
    return path.rpartition(".")[0]


class BranchNames:
    """Gives the branches of one step names that are parts of a path, each its own.

    Example:
        >>> names = BranchNames()
        >>> [names.name(text) for text in ("a", "a", "1.5", "")]
        ['a', 'a~2', '1%2E5', '~']
    """

    def __init__(self) -> None:
        self._taken: dict[str, int] = {}

    def name(self, text: str) -> str:
        """Return the name of the next branch.

        Args:
            text: The name that the author of the pipeline gave it.

        Returns:
            The same text, if it is one part of a path and not yet taken. Cut, if it
            is longer than 80 characters.
        """
        wanted = _UNSAFE.sub(_escaped, text) or "~"
        if len(wanted) > _LONGEST_PART:
            digest = zlib.crc32(text.encode(errors="surrogatepass"))
            wanted = f"{wanted[: _LONGEST_PART - 9]}~{digest:08x}"
        name = wanted
        while name in self._taken:
            self._taken[wanted] += 1
            name = f"{wanted}~{self._taken[wanted]}"
        self._taken[name] = 1
        return name


def _escaped(match: re.Match[str]) -> str:
    return f"%{ord(match[0]):02X}"


def execution_log_name(path: str, attempt: int) -> str:
    """Return the name of the file that keeps what an attempt printed.

    Args:
        path: The path of the step.
        attempt: The number of the attempt, from 1.

    Returns:
        The letters and digits of the path, cut if there are very many, three characters
        that tell apart paths and attempts of the same letters, and `.execution.log`.

    Example:
        >>> execution_log_name("hello stub", 1)
        'hellostubCSI.execution.log'
    """
    letters = shortened_name("".join(filter(str.isalnum, path)), path)
    number = zlib.crc32(f"{path}\0{attempt}".encode())
    suffix = "".join(_DIGITS[number // 36**place % 36] for place in range(3))
    return f"{letters}{suffix}.execution.log"


def shortened_name(name: str, path: str) -> str:
    """Cut what is too long for a file's name, so that paths stay apart.

    Args:
        name: What is made of the path.
        path: The path of a step.

    Example:
        >>> shortened_name("fit", "fit"), len(shortened_name(300 * "x", 300 * "x"))
        ('fit', 200)
    """
    if len(name.encode()) <= _LONGEST_BYTES:
        return name
    digest = hashlib.sha256(path.encode()).hexdigest()[:16]
    return name.encode()[: _LONGEST_BYTES - 16].decode(errors="ignore") + digest
