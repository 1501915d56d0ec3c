"""The names of version 0.50's module of this name; `runnable` itself has them."""

from typing import TYPE_CHECKING

from runnable.earlier_names import earlier_name

if not TYPE_CHECKING:  # a checker reports names that are not there

    def __getattr__(name: str) -> object:
        return earlier_name(__name__, name)
