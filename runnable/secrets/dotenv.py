"""Secrets in a `.env` file."""

from pathlib import Path
from threading import Lock
from typing import Any, ClassVar

from pydantic import PrivateAttr

from runnable import defaults
from runnable.errors import ConfigurationError
from runnable.secrets.base import BaseSecrets
from runnable.secrets.errors import SecretNotFoundError
from runnable.system.working_directory import absolute


class DotEnvSecrets(BaseSecrets):
    """Reads secrets from a file of lines `NAME=value`, when the first is asked for.

    Example:
        >>> file = getfixture("tmp_path") / "secrets.env"
        >>> _ = file.write_text("TOKEN='of nobody'")
        >>> DotEnvSecrets(location=str(file)).get("TOKEN")
        'of nobody'
    """

    service_name: str = "dotenv"
    is_local: ClassVar[bool] = True
    location: str = defaults.DOTENV_FILE_LOCATION
    """The file, relative to the working directory in which the run starts."""

    _path: Path = PrivateAttr()
    _secrets: dict[str, str | None] | None = PrivateAttr(default=None)
    _lock: Any = PrivateAttr(default_factory=Lock)

    def model_post_init(self, context: object, /) -> None:
        """Fix the file now: a task may change the working directory."""
        super().model_post_init(context)
        self._path = absolute(self.location)

    def own_files(self) -> list[str]:
        """Return the file with the secrets."""
        return [str(self._path)]

    def __getstate__(self) -> dict[Any, Any]:
        # Another process reads the file itself.
        own = {"_path": self._path, "_secrets": None, "_lock": None}
        return {**super().__getstate__(), "__pydantic_private__": own}

    def __setstate__(self, state: dict[Any, Any]) -> None:
        super().__setstate__(state)
        self._lock = Lock()

    def get(self, name: str) -> str:
        """Return what the file has under this name."""
        with self._lock:
            if self._secrets is None:
                self._secrets = self._read()
        value = self._secrets.get(name)
        if value is None:
            raise SecretNotFoundError(name, f"the file {self._path}")
        return value

    def _read(self) -> dict[str, str | None]:
        from dotenv import dotenv_values  # only who has such a file pays for it

        if not self._path.is_file():
            raise ConfigurationError("there is no such file", str(self._path))
        # Taken literally: a value is a secret, not a template of other variables.
        return dict(dotenv_values(self._path, interpolate=False))
