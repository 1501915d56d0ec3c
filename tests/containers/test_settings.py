"""What is in force for a run: arguments, environment and files."""

from pathlib import Path

import pytest

from containers import container
from runnable.exceptions import ConfigurationError
from runnable.scope.options import Options


def resolve(**options):
    return container.settings()(Options(**options))


@pytest.fixture
def files():
    for name in ("argument", "environment", "runnable-config"):
        Path(f"{name}.yaml").write_text(f"catalog:\n  type: {name}\n")


def test_an_argument_beats_the_environment_beats_the_default_file(files, monkeypatch):
    assert resolve().services["catalog"] == {"type": "runnable-config"}
    monkeypatch.setenv("RUNNABLE_CONFIGURATION_FILE", "environment.yaml")
    assert resolve().services["catalog"] == {"type": "environment"}
    settings = resolve(configuration_file="argument.yaml")
    assert settings.services["catalog"] == {"type": "argument"}
    assert settings.configuration_file == "argument.yaml"
    given = resolve(services={"catalog": {"type": "given"}})
    assert given.services["catalog"] == {"type": "given"}
    with container.catalog.override("overridden"):
        assert (
            resolve(services={"catalog": {"type": "given"}}).services["catalog"]
            == "overridden"
        )


def test_without_anything_there_are_defaults():
    assert resolve().services == {
        "pipeline_executor": {"type": "local"},
        "job_executor": {"type": "local"},
        "run_log_store": {"type": "file-system"},
        "catalog": {"type": "file-system"},
        "pickler": {"type": "pickle"},
        "secrets": {"type": "env-secrets"},
    }


def test_dashes_and_underscores(monkeypatch):
    Path("c.yaml").write_text("run-log-store: {type: a}\njob_executor: {type: b}\n")
    services = resolve(configuration_file="c.yaml").services
    assert services["run_log_store"] == {"type": "a"}
    assert services["job_executor"] == {"type": "b"}


def test_variables_are_put_in_as_text(monkeypatch, caplog):
    monkeypatch.setenv("RUNNABLE_VAR_folder", 'a "quoted" \\ place')
    Path("c.yaml").write_text(
        "catalog:\n  type: x\n  config: {list: ['$folder', '${unknown}'], n: 1}\n"
    )
    config = resolve(configuration_file="c.yaml").services["catalog"]["config"]
    assert config == {"list": ['a "quoted" \\ place', "${unknown}"], "n": 1}
    assert "no variable RUNNABLE_VAR_..." in caplog.text
    assert "unknown" not in caplog.text  # it may be a part of a password


def test_the_run_id(monkeypatch):
    assert resolve().run_id == ""
    monkeypatch.setenv("RUNNABLE_RUN_ID", "from-environment")
    assert resolve().run_id == "from-environment"
    assert resolve(run_id="mine").run_id == "mine"


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("piepline-executor: {type: local}", "Did you mean 'pipeline_executor'?"),
        ("executor: {type: mocked}", "write 'pipeline-executor'"),
        ("- 1", "must be a mapping"),
        ("a: [", "no valid YAML"),
        ("\xff", "is no UTF-8"),
    ],
)
def test_a_wrong_file_is_named(content, text):
    Path("c.yaml").write_text(content, encoding="latin-1")
    with pytest.raises(ConfigurationError, match=text) as caught:
        resolve(configuration_file="c.yaml")
    assert str(caught.value).startswith("c.yaml:")


def test_a_missing_file_is_named():
    with pytest.raises(ConfigurationError, match=r"nope\.yaml: .* No such file"):
        resolve(configuration_file="nope.yaml")


def test_an_empty_file_changes_nothing():
    Path("c.yaml").write_text("")
    assert resolve(configuration_file="c.yaml").services == resolve().services
