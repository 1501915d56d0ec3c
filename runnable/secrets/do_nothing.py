"""Secrets that are all empty."""

from typing import ClassVar

from runnable.secrets.base import BaseSecrets


class DoNothingSecrets(BaseSecrets):
    """Answers with an empty text: for trying out a pipeline without its secrets.

    Example:
        >>> DoNothingSecrets().get("TOKEN")
        ''
    """

    stateless: ClassVar[bool] = True
    service_name: str = "do-nothing"
    is_local: ClassVar[bool] = True

    def get(self, name: str) -> str:
        """Return an empty text."""
        del name
        return ""
