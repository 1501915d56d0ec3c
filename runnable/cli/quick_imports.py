"""Import much in little time."""

import gc
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def quick_imports() -> Generator[None]:
    """Import modules without looking for garbage meanwhile, or among them later.

    What modules make lives as long as the process: a collection in the midst of imports
    visits all of it for nothing. This is for a process that is ours, as that of the
    command line is.

    Yields:
        None.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
