"""Texts of errors: as records have them, without secrets and of limited length."""

import traceback

from runnable.secrets import Masker

MOST_OF_MESSAGE = 16_000
"""Characters of a message in a record; the execution log has all of it."""
MOST_OF_TRACEBACK = 64_000


def type_and_text(error: BaseException | None) -> str:
    """Return the type and the text of an error; empty if there is none."""
    if error is None:
        return ""
    # The last line that is no note: a SyntaxError has its place before its text.
    notes = sum(str(it).count("\n") + 1 for it in getattr(error, "__notes__", ()))
    lines = traceback.format_exception_only(error)
    return lines[len(lines) - notes - 1].strip()


def short_text(text: str, masker: Masker, most: int = MOST_OF_MESSAGE) -> str:
    r"""Return a text without secrets; of a long one, its beginning and its end.

    Args:
        text: The text.
        masker: Knows the secrets.
        most: The number of characters that are kept.

    Example:
        >>> short_text("a" * 5000 + "b" * 5000, Masker(), 20)
        'aaaaaaaaaa\n[9,980 characters are left out here]\nbbbbbbbbbb'
    """
    text = masker.text(text)  # as a whole: a part of a secret is not recognised
    if len(text) <= most:
        return text
    half = most // 2
    gap = f"\n[{len(text) - 2 * half:,} characters are left out here]\n"
    return f"{text[:half]}{gap}{text[-half:]}"
