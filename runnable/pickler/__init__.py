"""Picklers: how objects become bytes."""

from typing import TYPE_CHECKING

from runnable.earlier_names import earlier_name
from runnable.pickler.base import BasePickler

__all__ = ["BasePickler"]


if not TYPE_CHECKING:  # a checker reports names that are not there

    def __getattr__(name: str) -> object:
        return earlier_name(__name__, name)
