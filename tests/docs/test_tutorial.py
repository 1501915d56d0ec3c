"""Each part of the tutorial works from its folder, and prints what its page shows."""

import re
import shutil
from pathlib import Path

import pytest
from command_line import shell

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted(DOCS.glob("tutorial/[0-9]-*.md"))


def test_all_parts_have_a_page():
    parts = sorted(it.name for it in DOCS.glob("examples/tutorial/*"))
    assert [it.name[0] for it in PAGES] == parts


@pytest.mark.timeout(300)
@pytest.mark.parametrize("page", PAGES, ids=lambda it: it.stem)
def test_a_part(page, tmp_path):
    number = page.name[0]
    folder = shutil.copytree(DOCS / "examples" / "tutorial" / number, tmp_path / "mine")
    printed = ""
    blocks = re.findall(r"```(sh|text)\n(.*?)```", page.read_text(), re.DOTALL)
    for kind, block in blocks:
        if kind == "text":
            for line in block.splitlines():
                assert line in printed
            continue
        printed = shell(f"exec 2>&1\n{block}", folder)


def test_parts_begin_where_the_one_before_has_ended():
    """Each has copies of its own, so that it can be taken alone."""
    folder = DOCS / "examples" / "tutorial"
    functions = (folder / "2" / "wines.py").read_text()
    assert (folder / "1" / "wines.py").read_text().startswith(functions)
    for copy in folder.glob("[3-8]/wines.py"):
        assert copy.read_text() == functions
    for part in "678":
        same = (folder / "5" / "flow.py").read_text()
        assert (folder / part / "flow.py").read_text() == same
