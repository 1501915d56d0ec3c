"""Identities of code and files in records."""

from pydantic import BaseModel, ConfigDict


class CodeIdentity(BaseModel):
    """The version of the user's code that ran."""

    model_config = ConfigDict(defer_build=True)

    code_identifier: str | None = None
    """The commit; None outside a repository."""
    code_identifier_type: str = "git"
    code_identifier_dependable: bool = False
    """True if the commit describes the code completely: nothing is changed, staged or
    untracked."""
    code_identifier_url: str | None = None
    code_identifier_message: str | list[str] = ""
    """Files that differ from the commit."""


class DataCatalog(BaseModel):
    """A file that a step put into the catalog, or got from it."""

    model_config = ConfigDict(extra="allow", defer_build=True)

    name: str
    """Path relative to the compute folder."""
    data_hash: str = ""
    """SHA-256 of the content, 64 hexadecimal digits."""
    catalog_relative_path: str = ""
    catalog_handler_location: str = ""
    stage: str = ""
    """`put` or `get`."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DataCatalog) and self.name == other.name

    def __hash__(self) -> int:
        return hash(self.name)
