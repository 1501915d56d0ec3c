"""The reference has everything that there is."""

import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import runnable
from runnable import exceptions
from runnable.cli.app import COMMANDS

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = DOCS / "reference"


@pytest.fixture(scope="module")
def generated(tmp_path_factory):
    """Return the texts of the generated pages, by name."""
    folder = tmp_path_factory.mktemp("pages")
    program = (
        "import sys, pathlib, generated; generated.write(pathlib.Path(sys.argv[1]))"
    )
    subprocess.run(
        [sys.executable, "-c", program, str(folder)],
        check=True,
        cwd=ROOT,
        env={"PYTHONPATH": str(DOCS), "PATH": ""},
    )
    return {it.stem: it.read_text() for it in folder.glob("*.md")}


def test_all_commands(generated):
    for name in COMMANDS:
        assert re.search(rf"^## {name}( |$)", generated["commands"], re.MULTILINE), name


def test_all_keys_are_explained(generated):
    for page in ("yaml", "configuration"):
        for line in generated[page].splitlines():
            silent = line.startswith("| `") and line.endswith("|  |")
            assert not silent, f"{page}: {line}"


def test_all_errors_have_a_remedy(generated):
    for name in exceptions.__all__:
        if inspect.isclass(getattr(exceptions, name)):
            assert f"| `{name}` |" in generated["errors"]


def test_all_variables():
    page = (PAGES / "environment.md").read_text()
    sources = [*ROOT.glob("runnable/**/*.py"), *ROOT.glob("containers/*.py")]
    found = {
        name
        for file in sources
        for name in re.findall(r"(?<!_)\bRUNNABLE_[A-Z_]*[A-Z]", file.read_text())
    }
    assert found
    assert [it for it in sorted(found) if it not in page] == []


def test_all_public_names_are_in_the_reference():
    pages = "".join(it.read_text() for it in PAGES.glob("*.md"))
    left_out = [
        name
        for name in runnable.__all__
        if not re.search(rf"\b{name}\b", pages) and name not in exceptions.__all__
    ]
    assert left_out == []


@pytest.mark.parametrize("name", runnable.__all__)
def test_public_names_have_an_example(name):
    found = getattr(runnable, name)
    text = inspect.getdoc(found) or ""
    module = importlib.import_module(found.__module__)
    assert text, f"{name} has no docstring"
    assert ">>>" in text or f"{name}(" in (module.__doc__ or ""), f"{name}: no example"
