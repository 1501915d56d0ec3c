"""Secrets managers: where the secrets that tasks declare come from."""

from runnable.secrets.base import BaseSecrets
from runnable.secrets.masking import Masker

__all__ = ["BaseSecrets", "Masker"]
