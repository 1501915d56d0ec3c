"""Values in a workflow, so that neither Argo nor Kubernetes replaces anything in them.

Argo replaces what is in double braces, everywhere; Kubernetes replaces `$(NAME)` and
`$$` in commands and variables. Values of parameters are written as JSON, in which any
character can be written by its number. What is no value, such as a name, is refused.
"""

import json
import re

from pydantic import JsonValue

from runnable.errors import ConfigurationError
from runnable.parameters.values import json_or_text

_MOST_BYTES = 120_000  # Linux has 128 KiB for a variable
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_HALF_PAIR = re.compile(r"[\ud800-\udfff]")


def variable_of(name: str, value: JsonValue) -> str:
    r"""Return the text by which a variable of a pod carries the value of a parameter.

    Args:
        name: The name of the parameter.
        value: Any.

    Raises:
        ConfigurationError: If its name, or its length, is impossible for a variable.

    Example:
        >>> variable_of("x", "hello"), variable_of("x", "1"), variable_of("x", [1.5])
        ('hello', '"1"', '[1.5]')
        >>> variable_of("x", "{{a}} $(b)")
        '"\\u007b\\u007ba}} \\u0024(b)"'
    """
    if not _NAME.fullmatch(name):
        raise ConfigurationError(
            f"parameter {name!r} cannot be handed to pods: its name is none of a "
            "variable; use letters, digits and underscores"
        )
    text = value if isinstance(value, str) and _is_plain(value) else _escaped(value)
    if len(text.encode()) > _MOST_BYTES:
        raise ConfigurationError(
            f"parameter {name!r} is too long for a workflow: {len(text.encode()):,} "
            f"bytes, at most {_MOST_BYTES:,}. Have a step read it from a file or an "
            "object store"
        )
    return text


def _is_plain(text: str) -> bool:
    is_safe = "{{" not in text and "$" not in text and not _CONTROL.search(text)
    return is_safe and json_or_text(text) == text


def _escaped(value: JsonValue) -> str:
    text = json.dumps(value, ensure_ascii=False)
    if not text.isascii() and _HALF_PAIR.search(text):
        text = json.dumps(value)
    return text.replace("{{", "\\u007b\\u007b").replace("$", "\\u0024")


def argument(text: str, what: str) -> str:
    """Return an argument of a command, as a workflow has to write it.

    Args:
        text: The argument.
        what: What it is, for the error.

    Raises:
        ConfigurationError: If Argo would replace something in it.

    Example:
        >>> argument("a$(b)", "tag")
        'a$$(b)'
    """
    if "{{" in text:
        raise ConfigurationError(
            f"the {what} {text!r} has {{{{ in it, which Argo replaces; choose another"
        )
    return text.replace("$", "$$")
