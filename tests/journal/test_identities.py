"""Identities of code and files, as run logs have them."""

from runnable.journal.identities import CodeIdentity, DataCatalog


def test_files_are_compared_by_name():
    first = DataCatalog(name="f.csv", data_hash="1", stage="put")
    assert first == DataCatalog(name="f.csv", data_hash="2", stage="get")
    assert first != DataCatalog(name="g.csv", data_hash="1", stage="put")
    assert len({first, DataCatalog(name="f.csv")}) == 1
    assert first != "f.csv"


def test_fields_of_other_versions_are_kept():
    file = DataCatalog.model_validate({"name": "f.csv", "size": 3})
    assert file.model_dump()["size"] == 3


def test_code_outside_a_repository_is_not_dependable():
    identity = CodeIdentity()
    assert identity.code_identifier is None
    assert not identity.code_identifier_dependable
