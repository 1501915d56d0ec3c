"""Texts in containers of Kubernetes, which replaces `$(NAME)` and `$$` in some."""

from collections.abc import Iterable, Mapping
from typing import Any

from runnable.executor.commands import arguments_of
from runnable.executor.execution import StepRequest


def literal(text: str) -> str:
    """Return what stands for a text in a command, or in a variable.

    Args:
        text: Anything.

    Example:
        >>> literal("$(HOME) $$")
        '$$(HOME) $$$$'
    """
    return text.replace("$", "$$")


def command_of(request: StepRequest, *more: str) -> list[str]:
    """Return the command that runs a step, or a job.

    Args:
        request: The step; folders of this machine are not there.
        *more: More arguments.
    """
    reference = request.reference._replace(import_path=())
    arguments = arguments_of(request._replace(reference=reference))
    return [literal(it) for it in ("runnable", *arguments, *more)]


def variables_of_container(
    values: Mapping[str, str], names: Iterable[str], secret: str
) -> list[dict[str, Any]]:
    """Return variables of a container: values, and references to keys of a Secret.

    Args:
        values: Everyone who sees the container sees them.
        names: The keys, which are the names as well.
        secret: The Secret; there are no references if it is empty.
    """
    shown = [{"name": name, "value": literal(it)} for name, it in values.items()]
    if not secret:
        return shown
    return shown + [
        {"name": it, "valueFrom": {"secretKeyRef": {"name": secret, "key": it}}}
        for it in names
    ]
