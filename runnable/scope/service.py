"""Base class of all replaceable services."""

from typing import ClassVar

from pydantic import BaseModel, ConfigDict, JsonValue


class Service(BaseModel):
    """A service of a run, made from `{"type": ..., "config": {...}}`.

    The fields of a subclass are the keys that its `config` may have; any other key
    is refused. A service that holds something open closes it in `close`.
    """

    model_config = ConfigDict(extra="forbid", defer_build=True)

    service_name: str = ""
    """The type name that this implementation is found by."""
    service_type: str = ""
    """The kind of service; the entry point group as well."""

    secret_options: ClassVar[frozenset[str]] = frozenset()
    """Options that are never recorded."""

    stateless: ClassVar[bool] = False
    """Whether one instance without options can serve any number of runs at once, in any
    working directory; it is then made once, and has nothing to close."""

    is_local: ClassVar[bool] = False
    """Whether its calls return soon, since they ask nobody but this machine. Others are
    made where no event loop waits for them."""

    def describe(self) -> dict[str, JsonValue]:
        """Return what the run log records of this service: its name and options."""
        described: dict[str, JsonValue] = self.model_dump(
            mode="json", exclude=set(self.secret_options), fallback=str
        )
        return described

    def own_files(self) -> list[str]:
        """Return the files and folders in which it keeps something of its own.

        They are never results of a step, whatever pattern its catalog settings have. A
        file stands for those beside it whose names begin like it, such as its locks.
        """
        return []

    def own_folder(self) -> str:
        """Return the folder of this machine that it keeps everything in, if one."""
        return ""

    def located(self, folder: str) -> dict[str, JsonValue]:
        """Return the options by which it finds its files in another folder.

        Args:
            folder: Where its `own_folder` is mounted, in a container.

        Returns:
            None, if it has no such folder.
        """
        del folder
        return {}

    def close(self) -> None:
        """Give back what is held open; called once, at the end of the run."""
