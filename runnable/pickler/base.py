"""The port of picklers."""

import abc
from typing import BinaryIO

from runnable.scope.service import Service


class BasePickler(Service, abc.ABC):
    """Turns objects into bytes and back.

    A pickler of your own implements both methods, and is registered under the entry
    point group `pickler`.
    """

    service_type: str = "pickler"
    extension: str = ".pickle"
    """Suffix of the files it writes."""

    @abc.abstractmethod
    def dump(self, data: object, file: BinaryIO) -> None:
        """Write an object.

        Args:
            data: The object.
            file: Open for writing bytes; offers `write` only.
        """

    @abc.abstractmethod
    def load(self, file: BinaryIO) -> object:
        """Read an object.

        Args:
            file: Open for reading bytes, at the beginning.

        Returns:
            An equal object.
        """
