"""The n-th call that writes fails, for every n: a full disk, a broken one, half a write."""

import builtins
import errno
import itertools
import os
from collections.abc import Callable

import pytest

from runnable import Catalog, Pipeline, PythonTask, pickled
from runnable.datastore.file_system import FileSystemRunLogStore
from runnable.exceptions import (
    ExecutionFailedError,
    RunLogNotFoundError,
    StoreError,
)

CALLS = ("open", "write", "replace", "makedirs", "link", "ftruncate")


class Disk:
    """Counts the calls that write, and has one of them fail, or all from there on."""

    def __init__(self, monkeypatch, at: int, error: int, *, half=False, lasting=False):
        self.count = 0
        self._at, self._error, self._half, self._lasting = at, error, half, lasting
        for name in CALLS:
            monkeypatch.setattr(os, name, self._failing(getattr(os, name)))
        self._open = builtins.open
        monkeypatch.setattr(
            "runnable.system.atomic_files.open", self._opened, raising=False
        )

    def _is_failing(self) -> bool:
        self.count += 1
        return self.count == self._at or (self._lasting and self.count > self._at)

    def _failing(self, real: Callable[..., object]) -> Callable[..., object]:
        def call(*args, **kwargs):
            if real.__name__ == "open" and not args[1] & (os.O_WRONLY | os.O_RDWR):
                return real(*args, **kwargs)
            if self._is_failing():
                if real.__name__ == "write" and self._half:
                    real(args[0], args[1][: len(args[1]) // 2])
                raise OSError(self._error, os.strerror(self._error))
            return real(*args, **kwargs)

        return call

    def _opened(self, path, mode):
        if self._is_failing():
            raise OSError(self._error, os.strerror(self._error))
        return _File(self._open(path, mode), self)

    def check_write(self) -> None:
        if self._is_failing():
            raise OSError(self._error, os.strerror(self._error))


class _File:
    """A file whose writes are counted."""

    def __init__(self, file, disk: Disk) -> None:
        self._file, self._disk = file, disk

    def __getattr__(self, name):
        return getattr(self._file, name)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._file.close()

    def write(self, content):
        self._disk.check_write()
        return self._file.write(content)


def make():
    builtins.open("out.txt", "w").close()
    return 1, {"complex": 1j}


def use(thing: dict, n: int) -> int:
    return n + len(thing)


def execute(run_id: str) -> str:
    pipeline = Pipeline(
        steps=[
            PythonTask(
                name="make",
                function=make,
                returns=["n", pickled("thing")],
                catalog=Catalog(put=["out.txt"]),
            ),
            PythonTask(name="use", function=use, returns=["n"]),
        ]
    )
    try:
        return pipeline.execute(run_id=run_id).status
    except (ExecutionFailedError, StoreError, OSError) as error:
        text = str(error)
    assert "o space left" in text or "nput/output" in text, text
    return "FAIL"


def recorded(run_id: str) -> str:
    try:
        return FileSystemRunLogStore().get_run_log_by_id(run_id).status
    except RunLogNotFoundError:
        return "nothing"


@pytest.mark.parametrize("lasting", [False, True])
@pytest.mark.parametrize(
    ("error", "half"), [(errno.ENOSPC, False), (errno.EIO, False), (errno.ENOSPC, True)]
)
def test_the_nth_write_fails(error, half, lasting, monkeypatch):
    outcomes = set()
    for number in itertools.count(1):
        with monkeypatch.context() as patch:
            disk = Disk(patch, number, error, half=half, lasting=lasting)
            run_id = f"r{number}"
            status = execute(run_id)
        if disk.count < number:
            break
        said = recorded(run_id)
        outcomes.add((status, said))
        if status == "SUCCESS":
            # What failed was tried again another way, or there was nothing to lose.
            assert said == "SUCCESS", number
        elif not lasting:
            # The end of a run may be what could not be written.
            assert said in {"FAIL", "nothing", "PROCESSING", "SUCCESS"}
    assert status == said == "SUCCESS" or recorded(run_id) == "SUCCESS"
    assert number > 15
    assert ("FAIL", "FAIL" if not lasting else "PROCESSING") in outcomes
    print(outcomes)
