"""Every Python block of README and documents runs, and prints what it says."""

from pathlib import Path

import pytest
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser, SkipParser

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([ROOT / "README.md", *ROOT.glob("docs/**/*.md")])
SYBIL = Sybil(
    parsers=[PythonCodeBlockParser(), SkipParser()], path=str(ROOT), pattern="*.md"
)


@pytest.mark.parametrize(
    "path",
    [path for path in DOCUMENTS if "_build" not in path.parts],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_examples_of_a_document(path):
    document = SYBIL.parse(path)
    for example in document.examples():
        example.evaluate()
