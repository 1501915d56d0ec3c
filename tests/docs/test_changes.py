"""Fragments become a section of the changelog."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def project(tmp_path):
    """A project with a changelog, and the script."""
    (tmp_path / "docs" / "changes").mkdir(parents=True)
    shutil.copy(ROOT / ".ci" / "changelog", tmp_path / "changelog.py")
    (tmp_path / "CHANGELOG.md").write_text("# Changelog\n\n## 1.0.0\n\nThe first.\n")
    return tmp_path


def release(project, *arguments):
    return subprocess.run(
        [sys.executable, "changelog.py", *arguments],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_release_gathers_fragments(project):
    changes = project / "docs" / "changes"
    (changes / "README.md").write_text("how")
    (changes / "12.fixed.md").write_text("A step that\nfailed succeeds.\n")
    (changes / "word.added.md").write_text("Something new.\n")
    assert release(project, "1.1.0", "2026-12-01").returncode == 0
    assert (project / "CHANGELOG.md").read_text() == (
        "# Changelog\n\n## 1.1.0 (2026-12-01)\n\n### Added\n\n- Something new.\n\n"
        "### Fixed\n\n- A step that failed succeeds.\n\n## 1.0.0\n\nThe first.\n"
    )
    assert [it.name for it in changes.iterdir()] == ["README.md"]
    assert "no fragments" in release(project, "1.2.0").stderr


@pytest.mark.parametrize(("name", "text"), [("1.fix.md", "x"), ("1.fixed.md", " ")])
def test_a_wrong_fragment_changes_nothing(name, text, project):
    file = project / "docs" / "changes" / name
    file.write_text(text)
    before = (project / "CHANGELOG.md").read_text()
    assert release(project, "1.1.0").returncode == 1
    assert (project / "CHANGELOG.md").read_text() == before
    assert file.exists()


def test_those_of_this_project_are_well_formed():
    for it in (ROOT / "docs" / "changes").glob("*.*.md"):
        kinds = {"added", "changed", "fixed", "removed", "security"}
        assert it.name.split(".")[-2] in kinds
        assert it.read_text().strip()
