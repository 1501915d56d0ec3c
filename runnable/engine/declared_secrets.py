"""The secrets that tasks declare, for other processes that are to run them."""

from collections.abc import Iterable

from runnable.context import RunContext
from runnable.graph import TaskNode
from runnable.secrets.errors import SecretNotFoundError
from runnable.tasks import BaseTaskType


def secrets_of(tasks: Iterable[TaskNode], context: RunContext) -> dict[str, str]:
    """Return the secrets that tasks declare, as far as they are known here.

    Args:
        tasks: The tasks.
        context: Of the run; it masks them.
    """
    declared = [it.task.secrets for it in tasks if isinstance(it.task, BaseTaskType)]
    found: dict[str, str] = {}
    for name in {it: None for names in declared for it in names}:
        try:
            found[name] = context.services.secrets.get(name)
        except SecretNotFoundError:
            continue  # its step says so, if the other process does not know it either
        context.masker.learn(name, found[name])
    return found
