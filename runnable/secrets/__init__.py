"""Secrets managers: where the secrets that tasks declare come from."""

from runnable.secrets.base import BaseSecrets

__all__ = ["BaseSecrets"]
