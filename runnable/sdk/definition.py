"""Base class of what authors write: wrong settings are one clear error."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pydantic import BaseModel, ValidationError

from runnable.parameters import shortened
from runnable.sdk.errors import SettingsError


class Definition(BaseModel):
    """A step, a pipeline or a job, as its author writes it.

    Example:
        >>> class Stop(Definition):
        ...     name: str
        ...     seconds: int
        >>> Stop(name="s", seconds="soon")
        Traceback (most recent call last):
            ...
        runnable.exceptions.SettingsError: Stop 's': seconds: Input should be a valid \
integer, unable to parse string as an integer; it is 'soon'
    """

    if not TYPE_CHECKING:  # checkers know the settings from the fields

        def __init__(self, /, **settings: object) -> None:
            try:
                super().__init__(**settings)
            except ValidationError as error:
                what = _what(type(self), settings)
                explained = SettingsError(what, tuple(_findings(error)))
                explained.validation = error
                raise explained from None


def _what(kind: type[BaseModel], settings: Mapping[str, object]) -> str:
    name = settings.get("name")
    return f"{kind.__name__} {name!r}" if name else kind.__name__


def _findings(error: ValidationError) -> list[str]:
    found: list[str] = []
    for finding in error.errors(include_url=False):
        where = ".".join(str(key) for key in finding["loc"])
        message = finding["msg"].removeprefix("Value error, ")
        if finding["type"] == "missing":
            found.append(f"{where} is needed")
        elif finding["type"] == "extra_forbidden":
            found.append(f"there is no setting {where}")
        elif finding["type"] == "value_error" or not where:
            found.append(f"{where}: {message}" if where else message)
        else:
            found.append(f"{where}: {message}; it is {shortened(finding['input'])}")
    return found
