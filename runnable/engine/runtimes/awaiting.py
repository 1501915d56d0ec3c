"""Results of calls, made safe to pass through coroutines."""

import contextlib
import inspect
import os
import sys
import traceback
import types
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from concurrent.futures import Future
from contextvars import Context, copy_context
from typing import Any, cast

from runnable.tasks import Call

_PLAIN = frozenset({type(None), bool, int, float, str, bytes, list, tuple, dict, set})
_AWAITED = inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR


def make(call: Call, for_items: Callable[[], Call] | None = None) -> object:
    """Make a call in a context of its own; run a generator to its end.

    Args:
        call: The call.
        for_items: Returns the call that takes the items of a generator, if it is
            another one.

    Returns:
        What the function returned; for a generator, the value of its `return`.

    Raises:
        RuntimeError: If the function raised StopIteration, which means something else
            to the coroutine that waits for it; that is its cause.
    """
    try:
        with in_one_process():
            context = copy_context()
            result = context.run(call.function, *call.args, **call.kwargs)
            if inspect.isgenerator(result):
                taking = call if for_items is None else for_items()
                result = context.run(_exhaust, result, taking)
    except StopIteration as error:
        raise RuntimeError("the function raised StopIteration") from error
    return result


class in_one_process:  # noqa: N801 - a context manager, used as a function
    """End a child that the user's code has forked, where that code is left.

    The run belongs to the parent: the child must not go on with it, or record anything.
    """

    __slots__ = ("_process_id",)

    def __enter__(self) -> None:
        self._process_id = os.getpid()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: types.TracebackType | None,
    ) -> None:
        if os.getpid() == self._process_id:
            return
        status = 0 if error is None else 1
        if isinstance(error, SystemExit):
            status = (
                error.code if isinstance(error.code, int) else int(bool(error.code))
            )
        elif error is not None:
            traceback.print_exception(error)
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


def abandon(future: "Future[object]", call: Call) -> None:
    """Leave a call in a thread to end by itself; one that has not started never does.

    Args:
        future: Of the call.
        call: Is notified, so that its place is kept until it has ended.
    """
    if not future.cancel() and call.abandoned is not None:
        call.abandoned(future)


def _exhaust(generator: Generator[Any, Any, Any], call: Call) -> object:
    items = _Nobody() if call.items is None else call.items
    items.begin()
    while True:
        try:
            item = next(generator)
        except StopIteration as end:
            return end.value
        pause = items.take(item)
        if pause is not None:
            pause.wait()


class _Nobody:
    """Drops the items of a generator."""

    def begin(self) -> None:
        """Take no note."""

    def take(self, item: object) -> None:
        """Take none."""


async def wait_for(result: object, call: Call) -> object:
    """Wait for the result of a call, if there is anything to wait for.

    It is awaited in a context of its own: what it sets in a `ContextVar` is not seen by
    the caller, nor by later steps.

    Args:
        result: An awaitable, an asynchronous generator, or a plain value.
        call: The call that gave it.

    Returns:
        What it comes to; None for an asynchronous generator, which returns nothing.
    """
    if not must_wait(result):
        return result
    with in_one_process():
        awaitable = cast("Awaitable[object]", result)
        if inspect.isasyncgen(result):
            awaitable = _exhaust_async(result, call)
        return await _in_context(copy_context(), awaitable)


@types.coroutine
def _in_context(
    context: Context, awaitable: Awaitable[object]
) -> Generator[object, Any, object]:
    """Await something, each part of it within a context."""
    iterator = cast("Generator[object, Any, object]", awaitable.__await__())
    try:
        waited_for = context.run(next, iterator)
        while True:
            try:
                received = yield waited_for
            except GeneratorExit:
                context.run(iterator.close)
                raise
            except BaseException as error:  # noqa: BLE001 - passed on
                waited_for = context.run(iterator.throw, error)
            else:
                waited_for = context.run(iterator.send, received)
    except StopIteration as end:
        return end.value


async def _exhaust_async(generator: AsyncGenerator[Any, Any], call: Call) -> None:
    items = _Nobody() if call.items is None else call.items
    items.begin()
    # Closed also when handling an item fails, or the caller is cancelled.
    async with contextlib.aclosing(generator):
        async for item in generator:
            pause = items.take(item)
            if pause is not None:
                await pause


def must_wait(result: object) -> bool:
    """Return True if a result has to be waited for."""
    if type(result) in _PLAIN:
        return False
    return inspect.isawaitable(result) or inspect.isasyncgen(result)


def gives_awaitable(call: Call) -> bool:
    """Tell, before it is made, whether a call gives something to wait for."""
    function = call.function
    if type(function) is types.FunctionType and not function.__dict__:
        return bool(function.__code__.co_flags & _AWAITED)
    return inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)
