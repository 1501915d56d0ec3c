"""Catalogs: where the files and objects of runs are kept."""

from runnable.catalog.base import BaseCatalog, StoredObject

__all__ = ["BaseCatalog", "StoredObject"]
