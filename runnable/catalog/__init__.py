"""Catalogs: where the files and objects of runs are kept."""

from runnable.catalog.base import BaseCatalog, ObjectInfo, PutBy

__all__ = ["BaseCatalog", "ObjectInfo", "PutBy"]
