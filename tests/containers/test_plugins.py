"""Implementations are found by kind and name, also those of other packages."""

import subprocess
import sys
from pathlib import Path

import pytest

from containers.plugins import KINDS, Plugins
from runnable.exceptions import ConfigurationError, ServiceNotFoundError


@pytest.fixture
def package(tmp_path, monkeypatch):
    """An installed package that adds a catalog, a broken one and a wrong one."""
    folder = tmp_path / "site"
    info = folder / "mine-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mine\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[catalog]\n"
        "mine = my_catalog:MyCatalog\n"
        "broken = not_there:Catalog\n"
        "wrong = my_catalog:not_a_class\n"
        "alien = my_catalog:Alien\n"
        "do-nothing = my_catalog:MyCatalog\n"
    )
    (folder / "my_catalog.py").write_text(
        "from runnable import Provide, inject\n"
        "from runnable.catalog.do_nothing import DoNothingCatalog\n"
        "class MyCatalog(DoNothingCatalog):\n"
        "    service_name: str = 'mine'\n"
        "    colour: str = 'red'\n"
        "    @inject\n"
        "    def who(self, *, run_id: str = Provide['run_id']) -> str:\n"
        "        return f'{self.colour} {run_id}'\n"
        "def not_a_class(): ...\n"
        "class Alien: ...\n"
    )
    monkeypatch.setattr(sys, "path", [*sys.path, str(folder)])
    yield folder
    sys.modules.pop("my_catalog", None)


def test_built_in_implementations_are_entry_points():
    plugins = Plugins()
    for kind in KINDS:
        for name in plugins.names(kind):
            assert isinstance(plugins.find(kind, name), type)
    assert plugins.find("run_log_store", "memory") is plugins.find(
        "run_log_store", "buffered"
    )


def test_third_party_implementations_work_like_built_in_ones(package):
    catalog = Plugins().make_service(
        "catalog", {"type": "mine", "config": {"colour": "blue"}}
    )
    assert catalog.who(run_id="r1") == "blue r1"
    shorter = Plugins().make_service("catalog", {"type": "mine", "colour": "green"})
    assert shorter.colour == "green"


def test_a_third_party_implementation_in_a_run(package):
    script = """
from runnable import Pipeline, PythonTask, Provide, inject
@inject
def work(*, catalog: object = Provide["catalog"]) -> str:
    return catalog.who()
pipeline = Pipeline(steps=[PythonTask(name="s", function=work, returns=["x"])])
services = {"catalog": {"type": "mine"}, "run_log_store": {"type": "memory"}}
print(pipeline.execute(run_id="r1", services=services).parameters["x"].value)
"""
    finished = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(package)},
    )
    assert finished.stdout == "red r1\n"


def test_the_first_plugin_on_the_path_wins(package):
    assert Plugins().find("catalog", "do-nothing").__name__ == "DoNothingCatalog"


def test_a_broken_plugin_is_named_and_does_no_harm(package):
    plugins = Plugins()
    with pytest.raises(ConfigurationError) as caught:
        plugins.find("catalog", "broken")
    assert "'broken' of mine" in str(caught.value)
    assert "No module named 'not_there'" in str(caught.value)
    assert plugins.find("catalog", "file-system")


@pytest.mark.parametrize(
    ("name", "text"),
    [("wrong", "is not a class"), ("alien", "is no runnable.scope.service")],
)
def test_a_plugin_of_the_wrong_kind(package, name, text):
    with pytest.raises(ConfigurationError, match=text):
        Plugins().make_service("catalog", {"type": name})


def test_the_error_of_an_unknown_name_lists_the_known_ones(package):
    with pytest.raises(ServiceNotFoundError) as caught:
        Plugins().find("catalog", "mien")
    assert "Did you mean 'mine'?" in str(caught.value)
    assert "file-system" in str(caught.value)


def test_errors_do_not_repeat_the_values_of_options():
    with pytest.raises(ConfigurationError) as caught:
        Plugins().make_service(
            "catalog", {"type": "file-system", "catalog_location": ["hunter2"]}
        )
    assert "catalog_location" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_all_options_stand_in_config():
    with pytest.raises(ConfigurationError, match="must hold all options"):
        Plugins().make_service(
            "catalog", {"type": "file-system", "config": {}, "catalog_location": "x"}
        )


def test_no_entry_point_is_missing_from_the_installed_package():
    """Built-ins are found in an installed wheel as in this checkout."""
    import tomllib

    project = Path(__file__).parents[2] / "pyproject.toml"
    declared = tomllib.loads(project.read_text())["project"]["entry-points"]
    plugins = Plugins()
    for group, names in declared.items():
        assert set(names) <= set(plugins.names(group))
