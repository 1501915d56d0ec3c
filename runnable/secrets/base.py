"""The port of secrets managers."""

import abc
import functools
from collections.abc import Callable
from typing import Any, cast

from runnable.injection import Provide, inject
from runnable.scope import live_run
from runnable.secrets.masking import Masker
from runnable.service import Service

Get = Callable[["BaseSecrets", str], str]


class BaseSecrets(Service, abc.ABC):
    """Knows the secrets that tasks declare.

    A secrets manager of your own implements `get`, and is registered under the entry
    point group `secrets`.
    """

    service_type: str = "secrets"

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Have the current run mask what `get` returns, whoever asks for it."""
        super().__init_subclass__(**kwargs)
        if "get" in vars(cls):
            setattr(cls, "get", _telling_the_run(cast("Get", cls.get)))  # noqa: B010 - mypy knows methods only

    @abc.abstractmethod
    def get(self, name: str) -> str:
        """Return a secret.

        Args:
            name: Its name.

        Raises:
            SecretNotFoundError: If there is none of this name.
        """


def _telling_the_run(get: Get) -> Get:
    @functools.wraps(get)
    def get_and_tell(self: BaseSecrets, name: str) -> str:
        value = get(self, name)
        if live_run() is not None:
            _mask(value)
        return value

    return get_and_tell


@inject
def _mask(value: str, *, masker: Masker = Provide["masker"]) -> None:
    masker.add([value])
