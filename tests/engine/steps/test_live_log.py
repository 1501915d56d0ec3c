"""What a step prints is in the catalog before it has ended."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from runnable import PythonTask, get_run_log
from runnable.catalog import BaseCatalog
from runnable.engine.steps.live_log import LiveLog
from runnable.engine.steps.output_log import OutputLog
from runnable.secrets import Masker

SCRIPT = """
import os, sys, time
from pathlib import Path
from runnable import PythonTask

def work():
    print("before", os.environ["TOKEN"])
    while not Path("go-on").exists():
        print("still here")
        time.sleep(0.05)
    print("after")

PythonTask(name="s", function=work, secrets=["TOKEN"]).as_pipeline().execute(
    run_id="r1"
)
"""


def wait_until(is_so):
    end = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.05)


def printed(run_id="r1"):
    try:
        return get_run_log(run_id).execution_log("s", 1)
    except Exception:
        return ""


@pytest.fixture
def process(monkeypatch):
    monkeypatch.setenv("TOKEN", "hunter2-hunter2")
    Path("script.py").write_text(SCRIPT)
    with subprocess.Popen([sys.executable, "script.py"], stdout=-3) as started:
        yield started
        started.kill()


def test_others_see_it_grow_without_secrets_until_it_is_whole(process):
    wait_until(lambda: "still here" in printed())
    first = printed()
    wait_until(lambda: len(printed()) > len(first))
    assert first.startswith("before ***\n")
    assert printed().startswith(first)
    Path("go-on").touch()
    assert process.wait(60) == 0
    assert printed().endswith("after\n")
    assert "hunter2" not in printed()


def test_a_process_that_is_killed_leaves_what_it_had_printed(process):
    wait_until(lambda: "still here" in printed())
    os.kill(process.pid, signal.SIGKILL)
    process.wait(60)
    assert printed().startswith("before ***\nstill here\n")


def test_a_forked_child_does_not_replace_the_log_of_its_parent():
    script = (
        "import os, time\n"
        "from runnable import PythonTask\n"
        "def work():\n"
        "    child = os.fork()\n"
        "    if not child:\n"
        "        print('child speaks', flush=True)\n"
        "        time.sleep(4)\n"
        "        os._exit(0)\n"
        "    print('parent')\n"
        "    os.waitpid(child, 0)\n"
        "PythonTask(name='s', function=work).as_pipeline().execute(run_id='r1')\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, stdout=-3)
    assert printed() == "parent\n"


class Recording:
    """A catalog that keeps the texts that it gets."""

    def __init__(self):
        self.texts = []

    def put_text(self, name, text, *, run_id):
        self.texts.append(text)


def live_log():
    catalog, output = Recording(), OutputLog("s", Masker(), "none")
    return catalog, output, LiveLog(catalog, "r1", ("s", 1), output)


def test_nothing_is_saved_when_nothing_was_added():
    catalog, output, live = live_log()
    output.keep("one\n")
    assert live.save()
    assert live.save()
    output.keep("two\n")
    assert live.save()
    assert catalog.texts == ["one\n", "one\ntwo\n"]


def test_nothing_is_saved_after_the_end():
    catalog, output, live = live_log()
    output.keep("one\n")
    live.finish()
    assert not live.save()
    assert catalog.texts == []


def test_of_long_output_the_last_part_is_shown():
    catalog, output, live = live_log()
    for _ in range(30):
        output.keep("x" * 99_999 + "\n")
    assert live.save()
    (text,) = catalog.texts
    assert text.startswith("[")
    assert "characters before this]\n" in text
    assert len(text) < 1_100_000
    assert len("".join(output.texts())) == 3_000_000
    output.release()


def test_a_catalog_that_fails_meanwhile_fails_no_step():
    from runnable.catalog.file_system import FileSystemCatalog

    class Failing(FileSystemCatalog):
        def put_text(self, name: str, text: str, *, run_id: str) -> None:
            if "after" not in text:
                raise OSError("it is away")
            super().put_text(name, text, run_id=run_id)

    def work():
        print("before")
        time.sleep(3.5)
        print("after")

    assert issubclass(Failing, BaseCatalog)
    run_log = (
        PythonTask(name="s", function=work)
        .as_pipeline()
        .execute(services={"catalog": Failing(catalog_location="kept")})
    )
    assert run_log.execution_log("s", 1) == "before\nafter\n"
