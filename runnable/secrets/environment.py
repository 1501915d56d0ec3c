"""Secrets that are variables of the environment."""

import os
from typing import ClassVar

from runnable.secrets.base import BaseSecrets
from runnable.secrets.errors import SecretNotFoundError


class EnvSecrets(BaseSecrets):
    """Reads secrets from the environment of the process, and leaves them there."""

    stateless: ClassVar[bool] = True
    service_name: str = "env-secrets"
    is_local: ClassVar[bool] = True

    def get(self, name: str) -> str:
        """Return the variable of this name."""
        try:
            return os.environ[name]
        except KeyError:
            raise SecretNotFoundError(name, "the environment") from None
