"""Carry a run into threads that the user starts."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


def propagate(function: Callable[P, T]) -> Callable[P, T]:
    """Carry the current run, and the overrides that hold here, into a function.

    Args:
        function: Called later, in any thread, any number of times, also at once.

    Returns:
        A function that calls it as if it were called here.

    Example:
        >>> from concurrent.futures import ThreadPoolExecutor
        >>> from runnable.context import PipelineContext, RunScope, get_run_context
        >>> def run_id() -> str:
        ...     return get_run_context().run_id
        >>> with RunScope(PipelineContext(run_id="r1")), ThreadPoolExecutor() as pool:
        ...     pool.submit(propagate(run_id)).result()
        'r1'
    """
    context = copy_context()

    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        # A context can be entered only once at a time: each call gets a copy.
        return context.copy().run(function, *args, **kwargs)

    return call


class ContextThreadPool(ThreadPoolExecutor):
    """A thread pool whose jobs see the run that is current where they are submitted.

    Example:
        >>> from runnable.context import PipelineContext, RunScope, get_run_context
        >>> def run_id(_: int) -> str:
        ...     return get_run_context().run_id
        >>> with RunScope(PipelineContext(run_id="r1")), ContextThreadPool() as pool:
        ...     list(pool.map(run_id, range(2)))
        ['r1', 'r1']
    """

    def submit(
        self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
    ) -> Future[T]:
        """Submit a job that runs in a copy of the caller's context.

        Args:
            fn: What to call in a worker.
            *args: Its arguments.
            **kwargs: Its keyword arguments.

        Returns:
            The future of its result.
        """
        return super().submit(propagate(fn), *args, **kwargs)
