"""Find markers that no container can answer, before a run starts."""

import inspect
from collections.abc import Iterator
from typing import Any

from dependency_injector import containers

from containers.known import KNOWN
from containers.service_types import declared_types, service_of_type
from runnable.errors import ConfigurationError, did_you_mean
from runnable.scope.injection import InjectionPoint, injection_points, type_of


def find_problems(checked: containers.Container) -> Iterator[str]:
    """Find markers that name no service, or one of another type than is annotated.

    Args:
        checked: The container whose services there are.

    Yields:
        A sentence for each such marker.
    """
    for point in injection_points():
        problem = _problem(point, checked)
        if problem:
            yield f"{_place(point)} asks for {problem}"


def _problem(point: InjectionPoint, checked: Any) -> str:
    kind = type_of(point.service)
    if kind is not None:
        try:
            service_of_type(kind, checked)
        except ConfigurationError as error:
            return f"a {kind.__qualname__}: {error}"
        return ""
    name, *attributes = point.service.split(".")
    provider = checked.providers.get(name)
    if provider is None:
        return f"{point.service!r}. {did_you_mean(point.service, checked.providers)}"
    # Here, since it may be what is being imported, and loads this package.
    from runnable.parameters.binding import annotations_of

    declared = () if attributes else declared_types(name, provider)
    wanted = annotations_of(point.marked).get(point.parameter) if declared else None
    if not declared or not inspect.isclass(wanted) or wanted.__module__ == "typing":
        return ""
    if any(_are_one(wanted, it) for it in declared):
        return ""
    return f"{name!r} and is annotated {wanted.__qualname__}, which it is not"


def _are_one(wanted: type, declared: type) -> bool:
    if (declared, wanted) in {(int, float), (int, complex), (float, complex)}:
        return True
    try:
        return issubclass(declared, wanted) or issubclass(wanted, declared)
    except TypeError:
        return True  # a protocol


class FirstRun:
    """Validates a container before the first of its runs."""

    def __init__(self) -> None:
        self._is_over = False

    def check(self, checked: containers.Container) -> None:
        """Refuse markers that no container of this process can answer.

        Those that a container of another class answers are for its runs.

        Args:
            checked: The container.

        Raises:
            ConfigurationError: If there are any; lists them.
        """
        if self._is_over:
            return
        wrong: list[str] = []
        for point in injection_points():
            known_elsewhere = KNOWN.has_had(point.service) and (
                point.service.split(".")[0] not in checked.providers
            )
            if point in KNOWN.answered or known_elsewhere:
                continue
            problem = _problem(point, checked)
            if problem and all(_problem(point, it) for it in KNOWN.everyone()):
                wrong.append(f"{_place(point)} asks for {problem}")
            else:
                KNOWN.answered.add(point)
        if wrong:
            lines = "".join(f"\n  - {it}" for it in wrong)
            raise ConfigurationError(f"arguments that nothing can fill:{lines}")
        self._is_over = True


def _place(point: InjectionPoint) -> str:
    return f"{point.module}.{point.function}({point.parameter})"
