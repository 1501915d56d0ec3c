"""Every module of the engine and of the state of a run has a test module of its own."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = sorted(
    path.relative_to(ROOT / "runnable")
    for room in ("engine", "journal")
    for path in (ROOT / "runnable" / room).rglob("*.py")
    if path.name != "__init__.py"
)


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_a_module_has_a_test_module_in_the_same_place(module):
    mirrored = ROOT / "tests" / module.with_name(f"test_{module.name}")
    assert mirrored.is_file()
    assert "def test_" in mirrored.read_text(encoding="utf-8")
