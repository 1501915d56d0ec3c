"""Picklers: how objects become bytes."""

from runnable.pickler.base import BasePickler

__all__ = ["BasePickler"]
