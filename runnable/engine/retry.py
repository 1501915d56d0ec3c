"""Retries: which failures are tried again, and how long to wait before."""

import random

from runnable.engine.runtimes import Runtime
from runnable.errors import DefinitionError
from runnable.graph import Backoff, Policy
from runnable.parameters.errors import BindingError, ParameterMissingError
from runnable.scope.clock import advance_clock
from runnable.tasks import Call


def is_worth_another_try(policy: Policy, tries: int, error: BaseException) -> bool:
    """Return True if a step is tried again.

    Args:
        policy: Of the step.
        tries: How often it has been tried.
        error: Why the last try failed.
    """
    # An error before the call of the function would occur again.
    hopeless = (DefinitionError, BindingError, ParameterMissingError)
    return tries < policy.max_attempts and not isinstance(error, hopeless)


async def wait_before_retry(delay: Backoff, tries: int, runtime: Runtime) -> None:
    """Wait as long as it is to be waited after a number of tries."""
    seconds = seconds_before_retry(delay, tries)
    if seconds > 0 and not advance_clock(seconds):
        import asyncio  # only who waits pays for it

        await runtime.invoke(Call(asyncio.sleep, (seconds,)))


def seconds_before_retry(delay: Backoff, tries: int) -> float:
    """Return how long to wait.

    Args:
        delay: How it grows.
        tries: How often the step has been tried, from 1.

    Returns:
        Seconds.

    Example:
        >>> delay = Backoff(initial=0.5, factor=2.0, maximum=3.0)
        >>> [seconds_before_retry(delay, tries) for tries in (1, 2, 3, 4)]
        [0.5, 1.0, 2.0, 3.0]
    """
    try:
        grown = delay.initial * delay.factor ** (tries - 1)
    except OverflowError:  # after a thousand tries
        grown = delay.maximum
    jitter = random.uniform(0, delay.jitter)  # noqa: S311 - spreads retries, no secret
    return min(grown, delay.maximum) + jitter
