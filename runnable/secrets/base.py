"""The port of secrets managers."""

import abc

from runnable.service import Service


class BaseSecrets(Service, abc.ABC):
    """Knows the secrets that tasks declare.

    A secrets manager of your own implements `get`, and is registered under the entry
    point group `secrets`.
    """

    service_type: str = "secrets"

    @abc.abstractmethod
    def get(self, name: str) -> str:
        """Return a secret.

        Args:
            name: Its name.

        Raises:
            SecretNotFoundError: If there is none of this name.
        """
