"""Python's own pickle format, written by cloudpickle."""

# cloudpickle has no types.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false

import pickle
from typing import BinaryIO, ClassVar

import cloudpickle

from runnable.pickler.base import BasePickler

_PROTOCOL = 5  # writes large buffers, such as arrays, without copying them first


class NativePickler(BasePickler):
    """Pickles also lambdas, closures and classes of `__main__`.

    Example:
        >>> import io
        >>> file = io.BytesIO()
        >>> NativePickler().dump(lambda x: x + 1, file)
        >>> _ = file.seek(0)
        >>> NativePickler().load(file)(1)
        2
    """

    stateless: ClassVar[bool] = True
    service_name: str = "pickle"

    def dump(self, data: object, file: BinaryIO) -> None:
        """Write an object."""
        cloudpickle.dump(data, file, protocol=_PROTOCOL)

    def load(self, file: BinaryIO) -> object:
        """Read an object; its bytes have been verified by the catalog."""
        loaded: object = pickle.load(file)
        return loaded
