"""Catalogs: where the files and objects of runs are kept."""

from runnable.catalog.base import BaseCatalog, PutBy, StoredObject

__all__ = ["BaseCatalog", "PutBy", "StoredObject"]
