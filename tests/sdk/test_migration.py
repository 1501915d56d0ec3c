"""What has to change in a project of version 0.50 is found, with file and line."""

import os
from pathlib import Path

import pytest

from runnable.earlier_names import GONE, MOVED
from runnable.sdk.migration import migration_findings

FLOW = """\
import extensions.run_log_store.sqlite
import runnable.nodes
from runnable import Pipeline, Map, Stub, NotebookTask
from runnable import Whatever
from runnable.telemetry import truncate_value
from runnable.graph import create_graph, Graph
from runnable.executor.dask import DaskExecutor

good = [Stub(name="a"), Map(name="m", reducer="lambda *x: max(x)")]
wrong = Stub(name="success")
wrong = Map(name="m", reducer="lambda x: x")
wrong = NotebookTask(name="n", optional_ploomber_args={"cwd": ".", "log_output": 1})
Pipeline(steps=good).execute(run_id="a:b")
Pipeline(steps=good).execute(run_id="fine")
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Make a folder the working directory; returns it."""
    monkeypatch.chdir(tmp_path)
    return Path()


def lines(project):
    """Return what was found, as text."""
    return [str(it) for it in migration_findings(project)]


def test_python(project):
    (project / "flow.py").write_text(FLOW)
    found = lines(project)
    assert [it.split(":")[1] for it in found] == [
        "1",
        "2",
        "4",
        "5",
        "6",
        "10",
        "11",
        "12",
        "13",
    ]
    parts = [
        "extensions.run_log_store.sqlite is gone: ports are in",
        "runnable.nodes is gone",
        "there is no runnable.Whatever",
        "is now runnable.truncate_value",
        "create_graph is gone: use `load_pipeline",
        "cannot be called 'success'",
        "gets the list of all values",
        "'log_output' has no effect any more",
        "'a:b' cannot be a run id",
    ]
    for text, part in zip(found, parts, strict=True):
        assert part in text


@pytest.mark.parametrize(
    ("module", "name"),
    [(module, name) for module, names in MOVED.items() for name in names],
)
def test_all_names_that_moved(module, name, project):
    (project / "a.py").write_text(f"from {module} import {name}")
    assert "is now" in lines(project)[0]


@pytest.mark.parametrize("path", GONE)
def test_all_that_is_gone(path, project):
    module, _, name = path.rpartition(".")
    (project / "a.py").write_text(
        f"from {module} import {name}"
        if name.islower() and "." in module
        else f"import {path}"
    )
    assert f"{path} is gone" in lines(project)[0]


def test_yaml(project):
    (project / "sub").mkdir()
    (project / "sub" / "config.yaml").write_text("executor: {type: mocked}\n")
    (project / "pipeline.yml").write_text(
        "dag:\n  start_at: a\n  steps:\n    a: {type: stub, next: success}\n"
        "    b: {type: stub, next: success}\n"
    )
    (project / "compose.yaml").write_text("services: {web: {type: x}}\n")
    (project / "broken.yaml").write_text("type: {\n")
    found = lines(project)
    assert found[0].startswith("pipeline.yml:5:5: step 'b' can never be reached")
    assert found[1].startswith("sub/config.yaml:1:1: the key 'executor'")
    assert len(found) == 2


def test_requirements(project):
    (project / "requirements.txt").write_text("runnable[k8s, ploomber]==0.50\n")
    (project / "pyproject.toml").write_text('x = ["runnable[notebook]"]\n')
    (found,) = lines(project)
    assert found.startswith("requirements.txt:1: there is no extra 'ploomber'")


def test_what_is_not_the_project_s_is_left_alone(project):
    for folder in (".git", "build", "node_modules", "venv"):
        (project / folder).mkdir()
        (project / folder / "flow.py").write_text(FLOW)
    (project / "venv" / "pyvenv.cfg").touch()
    (project / "template.py").write_text("import runnable.nodes\n{{ x }")
    (project / "other.py").write_text("import extension_of_mine")
    (project / "binary.py").write_bytes(b"\xff\xfe runnable")
    assert lines(project) == []


def test_a_project_that_runs_needs_no_change():
    """The examples are such projects, but for what they import from their folders."""
    examples = Path(__file__).parents[2] / "docs" / "examples"
    found = [str(it) for it in migration_findings(examples)]
    assert all("there is no function" in it or "plugin" in it for it in found)


def test_what_cannot_be_read_as_usual(project):
    (project / "bom.py").write_bytes(b"\xef\xbb\xbfimport runnable.nodes\n")
    (project / "module.py").write_text("from runnable.errors import NoSuchThing\n")
    (project / "dangling.py").symlink_to("nowhere.py")
    os.mkfifo(project / "pipe.yaml")
    found = lines(project)
    assert found[0].startswith("bom.py:1: runnable.nodes is gone")
    assert found[1] == "module.py:1: there is no runnable.errors.NoSuchThing"
    assert len(found) == 2
