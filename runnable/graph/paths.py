"""Step paths: dotted names that alternate step and branch.

`step`, `step.branch.step`, ... A step's path has an odd number of parts, a branch's an
even number.
"""

import zlib

_LONGEST_BYTES = 200  # a file name has room for 255
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def join(branch: str, name: str) -> str:
    """Return the path of a step.

    Args:
        branch: The path of the branch it stands in, empty for the root.
        name: The name of the step.

    Returns:
        The path.

    Example:
        >>> join("fit.left", "train")
        'fit.left.train'
    """
    return f"{branch}.{name}" if branch else name


def execution_log_name(path: str, attempt: int) -> str:
    """Return the name of the file that keeps what an attempt printed.

    Args:
        path: The path of the step.
        attempt: The number of the attempt, from 1.

    Returns:
        The letters and digits of the path, three characters that tell apart paths
        and attempts of the same letters, and `.execution.log`.

    Example:
        >>> execution_log_name("hello stub", 1)
        'hellostubCSI.execution.log'
    """
    letters = "".join(filter(str.isalnum, path))
    letters = letters.encode()[:_LONGEST_BYTES].decode(errors="ignore")
    number = zlib.crc32(f"{path}\0{attempt}".encode())
    suffix = "".join(_DIGITS[number // 36**place % 36] for place in range(3))
    return f"{letters}{suffix}.execution.log"
