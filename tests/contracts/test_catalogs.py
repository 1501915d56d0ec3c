"""What every catalog promises, and what those that keep things promise beside."""

import hashlib
import os
import shutil
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

import pytest
import s3
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from runnable.catalog import PutBy
from runnable.catalog.do_nothing import DoNothingCatalog
from runnable.catalog.file_system import FileSystemCatalog
from runnable.catalog.object_store import S3Catalog
from runnable.exceptions import CatalogError, ObjectDamagedError


@pytest.fixture(params=["file-system", "s3", "seaweedfs"])
def keeping(request):
    if request.param == "file-system":
        return FileSystemCatalog()
    url = request.getfixturevalue(f"{request.param}_url")
    folder = f"runs/{uuid.uuid4().hex}"
    return S3Catalog(bucket=folder, endpoint=url, **s3.KEYS)


def kept(catalog, key):
    """Return the bytes that are kept under a key."""
    with catalog.open(key) as file:
        return file.read()


def tamper(catalog, key, content):
    """Put other bytes where some are kept, as somebody else would."""
    if isinstance(catalog, S3Catalog):
        catalog.objects.put(key, content)
    else:
        Path(".catalog", key).write_bytes(content)


@pytest.fixture
def folder():
    Path("data/deep").mkdir(parents=True)
    Path("data/a.csv").write_text("a")
    Path("data/deep/b.csv").write_text("b")
    Path("c.txt").write_text("c")


@pytest.mark.parametrize("catalog", [DoNothingCatalog(), "file-system"])
def test_puts_and_gets_are_per_run(catalog, folder):
    catalog = FileSystemCatalog() if catalog == "file-system" else catalog
    entries = catalog.put("c.txt", run_id="r1")
    catalog.put_text("note.execution.log", "x", run_id="r1")
    got = catalog.get("c.txt", run_id="r1")
    assert [entry.name for entry in entries] == [entry.name for entry in got]
    assert set(catalog.get_summary()) == {"Type", "Location"}


def test_files_are_recorded_with_their_hash(keeping, folder):
    entries = keeping.put("data/**/*.csv", run_id="r1")
    assert [entry.name for entry in entries] == ["data/a.csv", "data/deep/b.csv"]
    assert entries[0].data_hash == hashlib.sha256(b"a").hexdigest()
    assert entries[0].catalog_relative_path == "r1/data/a.csv"
    assert kept(keeping, "r1/data/deep/b.csv") == b"b"


def test_without_a_copy_a_file_is_recorded_only(keeping, folder):
    (entry,) = keeping.put("c.txt", store_copy=False, run_id="r1")
    assert entry.data_hash == hashlib.sha256(b"c").hexdigest()
    assert list(keeping.names("r1")) == []


def test_a_run_sees_its_own_files_only(keeping, folder):
    keeping.put("c.txt", run_id="r1")
    with pytest.raises(CatalogError, match="matches no file"):
        keeping.get("c.txt", run_id="r2")


def test_execution_logs_and_objects_are_not_brought_back(keeping, folder):
    keeping.put("c.txt", run_id="r1")
    keeping.put_text("s.execution.log", "x", run_id="r1")
    keeping.put_object("s", "o.pickle", lambda file: file.write(b"x"), run_id="r1")
    assert [entry.name for entry in keeping.get("**/*", run_id="r1")] == ["c.txt"]


def test_a_long_text_is_kept_piece_by_piece(keeping, folder):
    pieces = ["a" * 100_000, "é\ud800", "", "end"]
    keeping.put_long_text("s.execution.log", iter(pieces), run_id="r1")
    with keeping.open("r1/s.execution.log") as file:
        kept = file.read().decode()
    assert kept == "".join(pieces).replace("\ud800", "\\ud800")


def test_the_catalog_does_not_swallow_itself(folder):
    keeping = FileSystemCatalog()
    keeping.put("**/*", run_id="r1")
    entries = keeping.put("**/*", run_id="r2")
    assert [entry.name for entry in entries] == [
        "c.txt",
        "data/a.csv",
        "data/deep/b.csv",
    ]


def test_nothing_that_matches(keeping):
    with pytest.raises(CatalogError, match=r"'\*.csv' matches no file in "):
        keeping.put("*.csv", run_id="r1")
    assert keeping.put("*.csv", allow_file_not_found_exc=True, run_id="r1") == []


def test_replacing_can_be_restricted_to_some_files(keeping, folder):
    keeping.put("c.txt", run_id="r1")
    for name in ("c.txt", "d.txt"):
        Path(name).write_text("other")
    entries = keeping.put_files(
        "*.txt", run_id="r1", store_copy=True, missing_ok=True, by=PutBy("a-1", [])
    )
    assert [it.name for it in entries] == ["d.txt"]
    assert kept(keeping, "r1/c.txt") == b"c"
    keeping.put_files(
        "*.txt",
        run_id="r1",
        store_copy=True,
        missing_ok=True,
        by=PutBy("a-1", ["c.txt"]),
    )
    assert kept(keeping, "r1/c.txt") == b"other"


def put(keeping, text, by=None):
    Path("c.txt").write_text(text)
    given = {"run_id": "r1", "store_copy": True, "missing_ok": False}
    keeping.put_files("c.txt", **given, by=by)


def test_a_replaced_file_is_restored_unless_the_attempt_succeeds(keeping, folder):
    put(keeping, "before")
    for succeeded, expected in ((False, b"before"), (True, b"after")):
        by = PutBy("a-1")
        put(keeping, "after", by)
        assert (by.replaced, keeping.open_attempts("r1")) == (["c.txt"], ["a-1"])
        assert kept(keeping, "r1/c.txt") == b"after"
        keeping.close_attempts(["a-1"], run_id="r1", succeeded=succeeded)
        assert kept(keeping, "r1/c.txt") == expected
        assert keeping.open_attempts("r1") == []
    by = PutBy("a-2")
    put(keeping, "after", by)  # the same
    Path("d.txt").write_text("new")
    keeping.put_files("d.txt", run_id="r1", store_copy=True, missing_ok=False, by=by)
    assert (by.replaced, keeping.open_attempts("r1")) == ([], [])


def test_a_file_replaced_several_times_is_restored(keeping, folder):
    put(keeping, "before")
    for name in ("c-1", "a-1", "b-1"):
        put(keeping, name, PutBy(name))
    keeping.close_attempts(["a-1", "b-1", "c-1"], run_id="r1", succeeded=False)
    assert kept(keeping, "r1/c.txt") == b"before"


def test_a_later_failure_restores_the_first_file(keeping, folder):
    put(keeping, "before")
    put(keeping, "first", PutBy("a-1"))
    put(keeping, "second", PutBy("b-1"))
    for name in ("a-1", "b-1"):
        keeping.close_attempts([name], run_id="r1", succeeded=False)
    assert kept(keeping, "r1/c.txt") == b"before"
    assert keeping.open_attempts("r1") == []


def test_a_third_version_of_a_file_stays(keeping, folder):
    put(keeping, "before")
    put(keeping, "failed", PutBy("a-1"))
    put(keeping, "better")
    keeping.close_attempts(["a-1"], run_id="r1", succeeded=False)
    assert kept(keeping, "r1/c.txt") == b"better"


def test_a_text_stays_within_the_run(keeping):
    with pytest.raises(CatalogError):
        keeping.put_text("../r2/a.txt", "evil", run_id="r1")


def test_remembered_results_are_removed_with_their_run(keeping):
    keeping.remember("k1", "one", run_id="r1")
    keeping.remember("k1", "another", run_id="r2")
    keeping.remember("k2", "two", run_id="r1")
    keeping.remove("r1")
    assert [keeping.recall(key) for key in ("k1", "k2", "k3")] == [
        "another",
        None,
        None,
    ]


@pytest.mark.parametrize("name", ["../r2/x", "/etc/passwd", "a/../../x", ""])
def test_no_name_leads_out_of_a_run(keeping, name):
    with pytest.raises(CatalogError, match="is no name within"):
        keeping.sync_between_runs("r1", "r2", [name])
    with (
        pytest.raises(CatalogError, match="is no name within"),
        keeping.open_verified(name, "h", run_id="r1"),
    ):
        pass


def test_no_link_in_the_catalog_leads_out_of_it(folder, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside")
    Path(outside, "secret.txt").write_text("x")
    catalog = FileSystemCatalog()
    catalog.put("c.txt", run_id="r1")
    Path(".catalog/r1/data").symlink_to(outside)
    Path(".catalog/r2").symlink_to(outside)
    for operation in (
        lambda: catalog.get("data/secret.txt", run_id="r1"),
        lambda: catalog.get("data/*", run_id="r1"),
        lambda: catalog.put("data/a.csv", run_id="r1"),
        lambda: catalog.put("c.txt", run_id="r2"),
        lambda: catalog.sync_between_runs("r1", "r3", ["data/secret.txt"]),
        lambda: catalog.remove("r2"),
    ):
        with pytest.raises(CatalogError, match=r"link|matches no file"):
            operation()
    assert [it.name for it in outside.iterdir()] == ["secret.txt"]


def test_a_file_and_a_folder_of_one_name(folder):
    catalog = FileSystemCatalog()
    catalog.put("data/a.csv", run_id="r1")
    shutil.rmtree("data")
    Path("data").write_text("x")
    with pytest.raises(CatalogError, match="name of a file and of a folder"):
        catalog.put("data", run_id="r1")
    Path("data").unlink()
    catalog.put("c.txt", run_id="r1")
    Path("c.txt").unlink()
    Path("c.txt").mkdir()
    Path("c.txt/x").write_text("x")
    with pytest.raises(CatalogError, match="name of a file and of a folder"):
        catalog.put("c.txt/x", run_id="r1")


@pytest.mark.parametrize("pattern", ["../x", "/etc/passwd", "a/../../x", ""])
def test_patterns_stay_within_the_folder(keeping, pattern):
    for operation in (keeping.put, keeping.get):
        with pytest.raises(CatalogError, match="within the compute folder"):
            operation(pattern, run_id="r1")


def test_links_stay_within_the_folder(keeping, tmp_path, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside") / "secret"
    outside.write_text("x")
    Path("link").symlink_to(outside)
    with pytest.raises(CatalogError, match="a link that leads out of the folder"):
        keeping.put("link", run_id="r1")


def test_nothing_is_brought_through_a_link(keeping, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside")
    Path("deep").mkdir()
    Path("deep/x.txt").write_text("x")
    keeping.put("deep/x.txt", run_id="r1")
    shutil.rmtree("deep")
    Path("deep").symlink_to(outside)
    with pytest.raises(CatalogError, match="through a link out of the folder"):
        keeping.get("deep/x.txt", run_id="r1")
    assert list(outside.iterdir()) == []


def test_another_compute_folder(folder):
    catalog = FileSystemCatalog(compute_data_folder="data")
    (entry,) = catalog.put("*.csv", run_id="r1")
    assert entry.name == "a.csv"
    Path("data/a.csv").unlink()
    catalog.get("a.csv", run_id="r1")
    assert Path("data/a.csv").read_text() == "a"
    with pytest.raises(CatalogError, match="has no folder"):
        FileSystemCatalog(compute_data_folder="nope").put("*", run_id="r1")


def test_readers_never_see_half_a_file():
    """One writer replaces a file again and again while others read it."""
    keeping = FileSystemCatalog()
    contents = {letter * 200_000 for letter in "ab"}
    target = Path(".catalog/r1/big.txt")
    keeping.put_text("big.txt", "a" * 200_000, run_id="r1")
    stop = threading.Event()
    seen = set()

    def read():
        while not stop.is_set():
            seen.add(target.read_text())

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for number in range(60):
        keeping.put_text("big.txt", "ab"[number % 2] * 200_000, run_id="r1")
    stop.set()
    for reader in readers:
        reader.join()
    assert seen <= contents
    assert [path.name for path in target.parent.iterdir()] == ["big.txt"]


def test_a_failed_write_leaves_nothing(keeping):
    def fail(file):
        file.write(b"half")
        raise RuntimeError("disk on fire")

    with pytest.raises(RuntimeError, match="on fire"):
        keeping.put_object("s", "o.pickle", fail, run_id="r1")
    assert list(keeping.names("r1")) == []
    kept = [path.name for path in Path(".catalog").rglob("*") if path.is_file()]
    assert kept in ([], [".gitignore"])


def test_a_stored_file_is_not_copied_again(keeping, folder, monkeypatch):
    keeping.put("c.txt", run_id="r1")
    uploads = []
    upload = type(keeping).upload

    def counting(self, place):
        uploads.append(place)
        return upload(self, place)

    monkeypatch.setattr(type(keeping), "upload", counting)
    (entry,) = keeping.put("c.txt", run_id="r1")
    assert (entry.data_hash, uploads) == (hashlib.sha256(b"c").hexdigest(), [])
    Path("c.txt").write_text("d")  # of the same size
    keeping.put("c.txt", run_id="r1")
    assert (len(uploads), kept(keeping, "r1/c.txt")) == (1, b"d")


def test_a_present_file_is_not_fetched_again(keeping, folder):
    keeping.put("c.txt", run_id="r1")
    os.utime("c.txt", (1, 1))
    (entry,) = keeping.get("c.txt", run_id="r1")
    assert entry.data_hash == hashlib.sha256(b"c").hexdigest()
    assert Path("c.txt").stat().st_mtime == 1
    Path("c.txt").write_text("x")
    keeping.get("c.txt", run_id="r1")
    assert Path("c.txt").read_text() == "c"


def test_files_are_copied_between_runs(keeping, folder):
    keeping.put("**/*", run_id="r1")
    Path("c.txt").write_text("own")
    keeping.put("c.txt", run_id="r2")
    keeping.sync_between_runs("r1", "r2")
    assert kept(keeping, "r2/c.txt") == b"own"
    assert kept(keeping, "r2/data/deep/b.csv") == b"b"
    keeping.remove("r1")
    assert list(keeping.names("r1")) == []
    assert kept(keeping, "r2/data/a.csv") == b"a"


def test_many_put_the_same_name_at_once(keeping):
    """What is kept at the end is what one of them has put, whole."""
    contents = [letter * 100_000 for letter in "abcd"]
    catalogs = []
    for number, content in enumerate(contents):
        Path(str(number)).mkdir()
        Path(str(number), "same.txt").write_text(content)
        catalogs.append(keeping.in_folder(str(Path(str(number)).absolute())))
    with ThreadPoolExecutor(4) as pool:
        entries = [
            pool.submit(catalog.put, "same.txt", run_id="r1")
            for catalog in catalogs * 5
        ]
        hashes = {entry.result()[0].data_hash for entry in entries}
    assert hashes == {hashlib.sha256(it.encode()).hexdigest() for it in contents}
    assert kept(keeping, "r1/same.txt").decode() in contents
    assert list(keeping.names("r1")) == ["same.txt"]


PATTERN_PARTS = st.sampled_from(["*", "**", "a", "b", "?", "a*", "*.csv", "[ab]", ".*"])


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(parts=st.lists(PATTERN_PARTS, min_size=1, max_size=4))
def test_a_pattern_gets_the_files_that_it_put(parts, tmp_path_factory):
    """The law of both directions: the same pattern, the same files."""
    home = tmp_path_factory.mktemp("home")
    for name in ("a", "b/a", "b/x.csv", "c/b/a", "c/b/.h", "x.csv", "c/d/e/ab"):
        (home / "data" / name).parent.mkdir(parents=True, exist_ok=True)
        (home / "data" / name).write_text(name)
    catalog = FileSystemCatalog(
        catalog_location=str(home / "kept"), compute_data_folder="data"
    ).in_folder(str(home))
    pattern = "/".join(parts)
    put = catalog.put(pattern, allow_file_not_found_exc=True, run_id="r1")
    catalog.put("**", run_id="r2")
    try:
        got = catalog.get(pattern, run_id="r2")
    except CatalogError:
        got = []
    assert [entry.name for entry in got] == [entry.name for entry in put]


class TestObjects:
    """Objects are stored by place and content, and verified."""

    def put(self, catalog, content=b"content", place="s", name="o.pickle"):
        return catalog.put_object(
            place, name, lambda file: file.write(content), run_id="r1"
        )

    def read(self, catalog, stored):
        with catalog.open_verified(stored.key, stored.sha256, run_id="r1") as file:
            return file.read()

    def test_round_trip(self, keeping):
        stored = self.put(keeping)
        assert stored.size_bytes == 7
        assert stored.sha256 == hashlib.sha256(b"content").hexdigest()
        assert self.read(keeping, stored) == b"content"

    def test_equal_names_do_not_collide(self, keeping):
        stored = [
            self.put(keeping, place=place, content=content)
            for place in ("a b", "a/b", "a%20b", "ab")
            for content in (b"1", b"2")
        ]
        assert len({one.key for one in stored}) == 8
        assert [self.read(keeping, one) for one in stored] == [b"1", b"2"] * 4

    @settings(
        max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    @example(place="\U0001f600" * 50, name="\U0001f600" * 50)
    @given(place=st.text(min_size=1), name=st.text(min_size=1))
    def test_no_name_leads_out_of_the_catalog(self, keeping, place, name):
        try:
            stored = self.put(keeping, place=place, name=name + ".pickle")
        except UnicodeEncodeError:
            return  # half of a surrogate pair names no file
        place = PurePosixPath(stored.key)
        assert place.parts[0] == "_objects"
        assert ".." not in place.parts
        assert self.read(keeping, stored) == b"content"

    def test_a_tampered_object_is_refused(self, keeping):
        stored = self.put(keeping)
        tamper(keeping, f"r1/{stored.key}", b"c0ntent")
        with pytest.raises(ObjectDamagedError, match="is not what was stored"):
            self.read(keeping, stored)

    def test_a_missing_object_is_named(self, keeping):
        stored = self.put(keeping)
        keeping.drop(f"r1/{PurePosixPath(stored.key).parent}")
        with pytest.raises(CatalogError, match="is not in the catalog of run 'r1'"):
            self.read(keeping, stored)

    def test_a_catalog_that_keeps_nothing_refuses(self):
        catalog = DoNothingCatalog()
        assert not catalog.keeps_objects
        with pytest.raises(CatalogError, match="keeps nothing"):
            self.put(catalog)
        with (
            pytest.raises(CatalogError, match="keeps nothing"),
            catalog.open_verified("k", "h", run_id="r1"),
        ):
            pass
