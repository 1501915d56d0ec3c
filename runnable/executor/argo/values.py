"""Values in a workflow, so that neither Argo nor Kubernetes replaces anything in them.

Argo replaces what is in double braces, everywhere; Kubernetes replaces `$(NAME)` and
`$$` in commands and variables. A value is shown in the workflow only if it has neither,
and is short; others are packed. A name that has braces is refused.
"""

import json
import re
from collections.abc import Iterable

from runnable.errors import ConfigurationError
from runnable.executor.kubernetes.texts import literal
from runnable.journal import AnyParameter, JsonParameter
from runnable.parameters.values import json_or_text

_NAME = re.compile(r"[a-z_][a-z0-9_]*")  # variables have one case
_UNSAFE = re.compile(r"\{\{|\$|[\x00-\x1f\x7f\ud800-\udfff]")
_MOST = 4_000


def shown_text(name: str, parameter: AnyParameter) -> str | None:
    """Return the text by which a workflow shows the value of a parameter.

    Args:
        name: The name of the parameter.
        parameter: The parameter.

    Returns:
        Nothing if it has to be packed.

    Example:
        >>> [shown_text("x", JsonParameter(value=it)) for it in ("hello", "1", [1.5])]
        ['hello', '"1"', '[1.5]']
        >>> shown_text("x", JsonParameter(value="{{hello}}"))
    """
    if not _NAME.fullmatch(name) or not isinstance(parameter, JsonParameter):
        return None
    value = parameter.value
    exact = json.dumps(value, ensure_ascii=False)
    plain = [it for it in (parameter.text, value) if isinstance(it, str)]
    texts = [*(it for it in plain if json.dumps(json_or_text(it)) == exact), exact]
    return next((it for it in texts if _is_safe(it)), None)


def _is_safe(text: str) -> bool:
    return len(text) <= _MOST and not _UNSAFE.search(text)


def arguments(texts: Iterable[str]) -> list[str]:
    """Return arguments of a command, as a workflow has to write them.

    Args:
        texts: The arguments.

    Raises:
        ConfigurationError: If Argo would replace something in one.

    Example:
        >>> arguments(["--tag=a$(b)"])
        ['--tag=a$$(b)']
    """
    made: list[str] = []
    for text in texts:
        if "{{" in text:
            raise ConfigurationError(
                f"{text!r} has {{{{ in it, which Argo replaces; choose another name"
            )
        made.append(literal(text))
    return made
