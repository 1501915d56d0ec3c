"""Errors of files and objects in catalogs."""

from runnable.errors import StoreError


class CatalogError(StoreError):
    """Something cannot be put into the catalog, or found in it."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(name, problem)
        self.name = name
        self.problem = problem

    def __str__(self) -> str:
        return f"Catalog: {self.name!r} {self.problem}"


class ObjectDamagedError(CatalogError):
    """A stored object is not what was stored; it has not been unpickled."""
