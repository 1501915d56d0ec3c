"""The folder of a run: made when it is needed, gone when the run has ended."""

from pathlib import Path

from runnable.engine.run_folder import RunFolder


def test_it_is_made_once_and_removed_with_what_is_in_it():
    folder = RunFolder()
    path = Path(folder.path())
    assert path.is_dir()
    (path / "inner").mkdir()
    assert folder.path() == str(path)
    folder.remove()
    folder.remove()
    assert not path.exists()


def test_one_that_another_process_has_made_stays(tmp_path):
    folder = RunFolder(str(tmp_path))
    assert folder.path() == str(tmp_path)
    folder.remove()
    assert tmp_path.exists()
