"""Files that attempts have replaced come back, unless the attempt succeeded."""

import pytest

from runnable.catalog import PutBy
from runnable.catalog.file_system import FileSystemCatalog
from runnable.engine.replaced_files import close_dead_attempts, name_of_attempt
from runnable.journal import RunStarted, RunState, StepFinished, StepStarted

START = RunStarted("", "r1", "", "", {}, {}, [])


@pytest.fixture
def catalog(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return FileSystemCatalog(catalog_location=str(tmp_path / "catalog"))


def put(catalog, content, path):
    with open("f.txt", "w", encoding="utf-8") as file:
        file.write(content)
    by = PutBy(name_of_attempt(path, 1), None, [])
    catalog.put_files("f.txt", run_id="r1", by=by, store_copy=True, missing_ok=False)


def content(catalog):
    catalog.get_files("f.txt", run_id="r1")
    with open("f.txt", encoding="utf-8") as file:
        return file.read()


def state(*ended):
    records = [START]
    for path, status in ended:
        records.append(StepStarted("", path, path, "task", 1))
        if status:
            records.append(StepFinished("", path, status, {}, [], 1))
    return RunState(records)


@pytest.mark.parametrize(
    ("status", "kept"), [("SUCCESS", "new"), ("FAIL", "old"), ("", "old")]
)
def test_the_file_of_an_attempt_that_was_cut_off(catalog, status, kept):
    put(catalog, "old", "a")
    close_dead_attempts(catalog, "r1", state(("a", "SUCCESS")))
    put(catalog, "new", "b")
    close_dead_attempts(catalog, "r1", state(("a", "SUCCESS"), ("b", status)))
    assert content(catalog) == kept
    assert not list(catalog.open_attempts("r1"))


def test_attempts_of_other_steps_stay_open(catalog):
    put(catalog, "old", "a")
    close_dead_attempts(catalog, "r1", state(("a", "SUCCESS")))
    put(catalog, "new", "b")
    close_dead_attempts(catalog, "r1", state(("a", "SUCCESS")), ["a"])
    assert content(catalog) == "new"
    assert list(catalog.open_attempts("r1"))


def test_names_of_attempts_are_names_of_files():
    name = name_of_attempt("m.a/b.s", 12)
    assert name.endswith("-12")
    assert name.replace("-", "").isalnum()
    assert name != name_of_attempt("m.a.b.s", 12)
