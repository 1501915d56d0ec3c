"""Catalogs: where the files and objects of runs are kept."""

from typing import TYPE_CHECKING

from runnable.catalog.base import BaseCatalog, ObjectInfo, PutBy
from runnable.earlier_names import earlier_name

__all__ = ["BaseCatalog", "ObjectInfo", "PutBy"]


if not TYPE_CHECKING:  # a checker reports names that are not there

    def __getattr__(name: str) -> object:
        return earlier_name(__name__, name)
