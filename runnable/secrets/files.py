"""Secrets that are mounted as files, as containers and clusters do it."""

from pathlib import Path
from typing import ClassVar

from pydantic import PrivateAttr

from runnable.secrets.base import BaseSecrets
from runnable.secrets.errors import SecretNotFoundError
from runnable.system.working_directory import absolute


class FileSecrets(BaseSecrets):
    r"""Reads each secret from a file of its name, each time it is asked for.

    Example:
        >>> folder = getfixture("tmp_path")
        >>> _ = (folder / "TOKEN").write_text("of nobody\n")
        >>> FileSecrets(folder=str(folder)).get("TOKEN")
        'of nobody'
    """

    service_name: str = "files"
    is_local: ClassVar[bool] = True
    folder: str = "/run/secrets"
    """The folder, relative to the working directory at the start of a run."""

    _folder: Path = PrivateAttr()

    def model_post_init(self, context: object, /) -> None:
        """Fix the folder now: a task may change the working directory."""
        super().model_post_init(context)
        self._folder = absolute(self.folder)

    def own_files(self) -> list[str]:
        """Return the folder with the secrets."""
        return [str(self._folder)]

    def get(self, name: str) -> str:
        """Return the content of the file, without the end of its last line."""
        file = self._folder / name
        # A name is no path: nothing outside of the folder is a secret of this name.
        if Path(name).name != name or not file.is_file():
            raise SecretNotFoundError(name, f"the folder {self._folder}")
        return file.read_text(encoding="utf-8").removesuffix("\n")
