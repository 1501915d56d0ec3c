"""Text from anywhere, made safe to be shown."""

import re

_CONTROL = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


def plain(text: object) -> str:
    r"""Show control characters, halves of characters, and what turns its direction.

    Args:
        text: Such as the message of an error, or the name of a step. Line ends and tabs
            are kept.

    Returns:
        Text that does nothing to a terminal but print.

    Example:
        >>> plain("a\x1b[1m")
        'a\\x1b[1m'
    """
    return _CONTROL.sub(lambda found: repr(found[0])[1:-1], str(text))
