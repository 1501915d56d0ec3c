"""What every secrets manager does, wherever it has its secrets from."""

import pickle
import threading
from pathlib import Path

import pytest

from runnable import ExecutionFailedError, Map, Pipeline, PythonTask
from runnable.exceptions import ConfigurationError, SecretNotFoundError
from runnable.secrets.dotenv import DotEnvSecrets
from runnable.secrets.environment import EnvSecrets
from runnable.secrets.files import FileSecrets

VALUES = {"TOKEN": "s3cret $HOME 'quoted' \"twice\"", "OTHER": "a=b # no comment"}


@pytest.fixture(params=["environment", "dotenv", "files"])
def secrets(request, monkeypatch):
    match request.param:
        case "environment":
            for name, value in VALUES.items():
                monkeypatch.setenv(name, value)
            return EnvSecrets()
        case "dotenv":
            Path(".env").write_text(
                "# a comment\nexport TOKEN='s3cret $HOME \\'quoted\\' \"twice\"'\n"
                'OTHER="a=b # no comment"\n'
            )
            return DotEnvSecrets()
        case _:
            Path("mounted").mkdir()
            for name, value in VALUES.items():
                Path("mounted", name).write_text(value + "\n")
            return FileSecrets(folder="mounted")


def test_a_secret_is_returned_unchanged(secrets):
    assert {name: secrets.get(name) for name in VALUES} == VALUES


def test_the_error_of_a_missing_secret_names_the_place(secrets):
    with pytest.raises(SecretNotFoundError, match="no secret 'NOTHING' in the"):
        secrets.get("NOTHING")


def test_they_are_found_wherever_a_task_goes(secrets, monkeypatch, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert secrets.get("TOKEN") == VALUES["TOKEN"]


def test_they_travel_to_worker_processes(secrets, in_memory):
    assert pickle.loads(pickle.dumps(secrets)).get("TOKEN") == VALUES["TOKEN"]
    task = PythonTask(
        name="s",
        function=lambda x: __import__("os").environ["TOKEN"] == x,
        returns=["same"],
        secrets=["TOKEN"],
    )
    step = Map(
        name="m",
        branch=task.as_pipeline(),
        iterate_on="xs",
        iterate_as="x",
        parallelism="process",
    )
    run_log = Pipeline(steps=[step]).execute(
        parameters={"xs": [VALUES["TOKEN"], "other"]},
        services={**in_memory, "secrets": secrets},
    )
    assert run_log.parameters["same"].value == [True, False]


def test_many_threads_ask_at_once(secrets):
    found = []

    def ask():
        found.append(secrets.get("OTHER"))

    threads = [threading.Thread(target=ask) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [VALUES["OTHER"]] * 20


def test_a_step_without_its_secret_fails(secrets, in_memory):
    step = PythonTask(name="s", function=lambda: 1, secrets=["NOTHING"])
    with pytest.raises(ExecutionFailedError, match="no secret 'NOTHING'"):
        Pipeline(steps=[step]).execute(services={**in_memory, "secrets": secrets})


def test_a_file_that_is_not_there():
    with pytest.raises(
        ConfigurationError, match=r"nowhere\.env: there is no such file"
    ):
        DotEnvSecrets(location="nowhere.env").get("TOKEN")


@pytest.mark.parametrize("name", ["../outside", "/etc/hostname", "", ".", ".."])
def test_a_name_is_no_path(name):
    Path("outside").write_text("x")
    Path("inside").mkdir()
    with pytest.raises(SecretNotFoundError):
        FileSecrets(folder="inside").get(name)
