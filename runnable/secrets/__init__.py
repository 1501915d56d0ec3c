"""Secrets managers: where the secrets that tasks declare come from."""

from typing import TYPE_CHECKING

from runnable.earlier_names import earlier_name
from runnable.secrets.base import BaseSecrets
from runnable.secrets.masking import Masker

__all__ = ["BaseSecrets", "Masker"]


if not TYPE_CHECKING:  # a checker reports names that are not there

    def __getattr__(name: str) -> object:
        return earlier_name(__name__, name)
