"""The port of secrets managers."""

import abc
import functools
from collections.abc import Callable
from typing import Any, cast

from runnable.scope import find_run
from runnable.scope.injection import Provide, inject
from runnable.scope.service import Service
from runnable.secrets.masking import Masker

Get = Callable[["BaseSecrets", str], str]


class BaseSecrets(Service, abc.ABC):
    """Knows the secrets that tasks declare.

    A secrets manager of your own implements `get`, and is registered under the entry
    point group `secrets`.
    """

    service_type: str = "secrets"

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Wrap `get`, so that the current run masks every value that it returns."""
        super().__init_subclass__(**kwargs)
        if "get" in vars(cls):
            setattr(cls, "get", _register_for_masking(cast("Get", cls.get)))  # noqa: B010 - mypy knows methods only

    @abc.abstractmethod
    def get(self, name: str) -> str:
        """Return a secret.

        Args:
            name: Its name.

        Raises:
            SecretNotFoundError: If there is none of this name.
        """


def _register_for_masking(get: Get) -> Get:
    @functools.wraps(get)
    def get_and_register(self: BaseSecrets, name: str) -> str:
        value = get(self, name)
        if find_run() is not None:
            _register(name, value)
        return value

    return get_and_register


@inject
def _register(name: str, value: str, *, masker: Masker = Provide["masker"]) -> None:
    masker.learn(name, value)
