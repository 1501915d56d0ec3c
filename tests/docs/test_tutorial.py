"""Each part of the tutorial works from its folder, and prints what its page shows."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

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
    program = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{program}{os.pathsep}{os.environ['PATH']}"}
    printed = ""
    blocks = re.findall(r"```(sh|text)\n(.*?)```", page.read_text(), re.DOTALL)
    for kind, block in blocks:
        if kind == "text":
            for line in block.splitlines():
                assert line in printed
            continue
        done = subprocess.run(  # noqa: S602 - as the page has it
            f"set -e\n{block}",
            shell=True,
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=240,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        printed = done.stdout
