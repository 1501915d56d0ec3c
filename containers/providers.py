"""Providers whose answer depends on the run of the caller, not on the process.

Theory of operation. dependency-injector keeps the overrides of a provider in the
provider, so they hold for the whole process. Here they are kept in the scope of the
caller, by provider: `with container.catalog.override(fake):` holds for this thread or
task and the asyncio tasks that it starts. The library's own methods that build on
`override` and `reset_last_overriding` (`override_providers`, `Container.override`) work
unchanged.
"""

# dependency-injector's stubs leave type arguments open.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

import inspect
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from operator import attrgetter
from types import TracebackType
from typing import Any, Generic, TypeVar, cast, overload

from dependency_injector import providers

from runnable.scope import (
    Run,
    current_scope,
    require_run,
    set_overrides,
)

T = TypeVar("T")
V = TypeVar("V")


class Overriding(Generic[V]):
    """An override that ends with the `with` block it is used in."""

    def __init__(self, provider: "ContextScoped[Any]", overriding: V) -> None:
        self._provider = provider
        self.value = overriding

    def __enter__(self) -> V:
        return self.value

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._provider.remove_overriding(self)


class ContextScoped(providers.Provider[T]):
    """A provider whose overrides hold for the current context only."""

    def __init__(self) -> None:
        super().__init__()
        # Its async mode is sticky: one awaitable answer would make all later ones.
        self.disable_async_mode()

    def override(self, provider: V) -> Overriding[V]:  # type: ignore[override] # pyright: ignore[reportIncompatibleMethodOverride]  # the stub names a class with private state
        """Answer with something else, in this thread or task and tasks it starts.

        Args:
            provider: A service, or a provider that makes it.

        Returns:
            A context manager that ends the override.

        Example:
            >>> from containers import container
            >>> with container.run_id.override("r1"):
            ...     container.run_id()
            'r1'
        """
        overriding = Overriding(self, provider)
        self._set((*self._overridings(), overriding))
        return overriding

    def _overridings(self) -> tuple["Overriding[Any]", ...]:
        return current_scope().overrides.get(self, ())  # type: ignore[return-value]  # kept by _set

    def _set(self, overridings: tuple["Overriding[Any]", ...]) -> None:
        overrides = {**current_scope().overrides, self: overridings}
        if not overridings:
            del overrides[self]
        set_overrides(overrides)

    def override_everywhere(self, provider: object) -> object:
        """Answer with something else in the whole process, until it is reset.

        Args:
            provider: A service, or a provider that makes it.

        Returns:
            dependency-injector's own context manager.
        """
        return super().override(provider)

    def reset_everywhere(self) -> None:
        """End every process-wide override."""
        super().reset_override()

    def reset_last_overriding(self) -> None:
        """End the latest override that holds here."""
        self._set(self._overridings()[:-1])

    def reset_override(self) -> None:
        """End every override that holds here."""
        self._set(())

    def remove_overriding(self, overriding: "Overriding[Any]") -> None:
        """End one override, at any position in the order."""
        self._set(tuple(it for it in self._overridings() if it is not overriding))

    def is_overridden(self) -> bool:
        """Return True if anything overrides this provider, here or everywhere."""
        return bool(self._overridings()) or self.last_overriding is not None

    @property
    def overridden(self) -> tuple[Any, ...]:
        """The overrides of this provider here, the innermost last."""
        return tuple(overriding.value for overriding in self._overridings())

    def make(self) -> T:
        """Make, or find, the answer that no override replaces."""
        raise NotImplementedError

    def source(self) -> str:
        """Say where the answer comes from."""
        return ""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.source()})"

    __str__ = __repr__

    def _provide(self, args: tuple[object, ...], kwargs: dict[str, object]) -> T:
        if overridings := self._overridings():
            answer: Any = overridings[-1].value
            if isinstance(answer, providers.Provider):
                return answer(*args, **kwargs)  # type: ignore[no-any-return]  # the overriding provider's promise
            return answer  # type: ignore[no-any-return]  # duck-typed, as fakes are
        return self.make()

    def __deepcopy__(self, memo: dict[Any, Any] | None = None) -> "ContextScoped[T]":
        memo = {} if memo is None else memo
        # A container's instance has providers of its own, so overrides of its own.
        copied = memo.get(id(self))
        if isinstance(copied, ContextScoped):
            return copied
        copied = self.copy_for_container(memo)
        memo[id(self)] = copied
        return copied

    def copy_for_container(self, memo: dict[int, object]) -> "ContextScoped[T]":
        """Make an equal provider for another container.

        Args:
            memo: What has been copied already, as for `__deepcopy__`.
        """
        raise NotImplementedError


class FromRun(ContextScoped[T]):
    """Answer with something that the current run's context has.

    Args:
        path: Attribute path from the context, such as `catalog`; the context
            itself if empty.

    Raises:
        RuntimeError: When asked outside a run.
    """

    def __init__(self, path: str = "") -> None:
        super().__init__()
        self._path = path
        self._get: Callable[[object], Any] = attrgetter(path) if path else lambda it: it

    def make(self) -> T:
        """Return what the current run has."""
        return self._get(require_run(self._path or "run_context").context)  # type: ignore[no-any-return]  # by attribute path

    def source(self) -> str:
        """Return the attribute path."""
        return repr(self._path)

    def copy_for_container(self, memo: dict[int, object]) -> "FromRun[T]":
        """Make an equal provider for another container."""
        del memo
        return FromRun(self._path)


class OncePerRun(ContextScoped[T]):
    """Make a service once in each run, when first asked, and close it with the run.

    Args:
        factory: Called without holding anything of another run; a generator
            function yields the service once and cleans up after the `yield`.
        *args: Positional arguments; providers among them are resolved.
        **kwargs: Keyword arguments, likewise.

    A service that is a context manager is entered, and left at the end of the run; one
    that has only `close()` is closed then. Last made, first closed.

    Example:
        >>> from containers import OncePerRun, RunContainer
        >>> class AppContainer(RunContainer):
        ...     cache = OncePerRun(dict)
    """

    @overload
    def __init__(
        self, factory: Callable[..., Iterator[T]], *args: Any, **kwargs: Any
    ) -> None: ...

    @overload
    def __init__(
        self,
        factory: Callable[..., AbstractContextManager[T]],
        *args: Any,
        **kwargs: Any,
    ) -> None: ...

    @overload
    def __init__(
        self, factory: Callable[..., T], *args: Any, **kwargs: Any
    ) -> None: ...

    def __init__(self, factory: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        super().__init__()
        self.factory = factory
        self.args = args
        self.kwargs = kwargs

    def make(self) -> T:
        """Return this run's instance; make it if this is the first time."""
        run = require_run(self.source())
        if not run.entered:
            raise RuntimeError(
                f"{self.source()} is made once a run, and closed with it, but nobody "
                f"owns run {run.context.run_id!r}: use it within RunScope(context)"
            )
        if self not in run.instances:
            with run.lock:
                lock = run.making.setdefault(self, threading.RLock())
            with lock:
                if self not in run.instances:
                    run.instances[self] = self._construct(run)
        return run.instances[self]  # type: ignore[return-value]  # from the factory

    def _construct(self, run: Run) -> object:
        args = [_resolve(argument) for argument in self.args]
        kwargs = {name: _resolve(value) for name, value in self.kwargs.items()}
        if inspect.isgeneratorfunction(self.factory):
            opened = contextmanager(self.factory)(*args, **kwargs)
            return run.closing.enter_context(opened)
        service: object = self.factory(*args, **kwargs)
        if isinstance(service, AbstractContextManager):
            manager = cast("AbstractContextManager[object]", service)
            return run.closing.enter_context(manager)
        close = getattr(service, "close", None)
        if callable(close):
            run.closing.callback(close)
        return service

    def source(self) -> str:
        """Return the name of the factory."""
        return str(getattr(self.factory, "__qualname__", self.factory))

    def copy_for_container(self, memo: dict[int, object]) -> "OncePerRun[T]":
        """Make an equal provider for another container, its arguments' copies too."""
        args = providers.deepcopy(self.args, memo)
        kwargs = providers.deepcopy(self.kwargs, memo)
        return OncePerRun(self.factory, *args, **kwargs)


def _resolve(value: object) -> object:
    if isinstance(value, providers.Provider):
        return cast("providers.Provider[object]", value)()
    return value
