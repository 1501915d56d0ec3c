"""Progress on a real pseudo-terminal."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.terminal import Terminal, wait_for_file

FLOW = Path(__file__).with_name("flow.py")
EXECUTE = (sys.executable, "-m", "runnable.cli", "execute", str(FLOW))


@pytest.fixture(autouse=True)
def _importable(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(FLOW.parents[2]))


def is_waiting(screen):
    return "attempt 3" in screen and "3 of 8, 5 running" in screen


def test_steps_branches_and_attempts_are_drawn_while_they_run():
    terminal = Terminal(EXECUTE)
    screen = terminal.wait_for(is_waiting)
    Path("go-on").touch()
    status = terminal.end()

    assert re.search(r"^demo \S+  +\d+\.\d s$", screen, re.MULTILINE)
    assert re.search(r"^ ✓ clean +\d\.\d s$", screen, re.MULTILINE)
    assert re.search(r"^ ●   flaky\.try +attempt 3 +\d+\.\d s$", screen, re.MULTILINE)
    assert re.search(r"^ ●     3\.fit", screen, re.MULTILINE)
    assert re.search(r"^ · after 2$", screen, re.MULTILINE)
    assert re.search(r"^ · 3 more$", screen, re.MULTILINE)
    assert status == 1


def test_what_steps_print_stays_and_what_was_drawn_goes():
    terminal = Terminal(EXECUTE)
    terminal.wait_for(is_waiting)
    Path("go-on").touch()
    terminal.end()

    lines = terminal.everything.splitlines()
    assert lines[0] == "cleaning green"
    assert sorted(lines[1:9]) == [f"fold {number}" for number in range(8)]
    assert lines[9].endswith(": FAIL")
    assert not any("●" in line for line in lines)
    assert "  both.folds.fits.3.fit: ValueError: bad \\x1b[31mfold\\x1b[0m" in lines[11]
    assert b"\x1b[31mfold" not in terminal.written


def test_what_steps_print_is_kept_as_it_was():
    terminal = Terminal(EXECUTE)
    terminal.wait_for(is_waiting)
    Path("go-on").touch()
    terminal.end()

    found = subprocess.run(
        [sys.executable, "-m", "runnable.cli", "logs", "latest", "--json"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "cleaning \\u001b[32mgreen\\u001b[0m" in found.stdout
    assert all(f"fold {number}" in found.stdout for number in range(8))


def test_ctrl_c_leaves_a_clean_screen_and_a_recorded_run():
    terminal = Terminal(EXECUTE)
    terminal.wait_for(is_waiting)
    terminal.type("\x03")
    status = terminal.end()

    last = " ".join(terminal.everything.splitlines()[-3:])
    assert status == 130
    assert "is recorded as CANCELLED" in last
    assert "●" not in terminal.everything
    assert b"\x1b[?25h" in terminal.written  # the cursor is back


def test_a_script_shows_its_run_and_how_it_has_ended():
    terminal = Terminal([sys.executable, str(FLOW), "--progress"])
    terminal.wait_for(is_waiting)
    Path("go-on").touch()
    assert terminal.end() == 1

    text = terminal.everything
    assert re.search(r"^demo \S+: FAIL after \d+\.\d s$", text, re.MULTILINE)
    assert "  both.folds.fits.3.fit: ValueError: bad \\x1b[31mfold\\x1b[0m" in text


def test_runs_at_the_same_time_share_the_terminal():
    Path("script.py").write_text(
        "from concurrent.futures import ThreadPoolExecutor\n"
        "from tests.progress.flow import pipeline\n"
        "def run(name):\n"
        "    given = {'folds': [0, 4]}\n"
        "    return pipeline(name=name).execute(parameters=given, progress=True)\n"
        "with ThreadPoolExecutor() as pool:\n"
        "    print([it.status for it in pool.map(run, ['first', 'second'])])\n"
    )
    terminal = Terminal([sys.executable, "script.py"])
    screen = terminal.wait_for(lambda it: it.count("1 of 2, 1 running") == 2)
    Path("go-on").touch()
    assert terminal.end() == 0

    assert re.search(r"^first \S+ ", screen, re.MULTILINE)
    assert re.search(r"^second \S+ ", screen, re.MULTILINE)
    text = terminal.everything
    assert text.count(": SUCCESS after") == 2
    assert text.splitlines()[-1] == "['SUCCESS', 'SUCCESS']"
    assert text.count("fold 4") == 2


def test_what_other_processes_print_is_above_what_is_drawn():
    Path("emulator.yaml").write_text("pipeline-executor:\n  type: emulator\n")
    Path("script.py").write_text(
        "from runnable import Pipeline, PythonTask\n"
        "from tests.support.terminal import wait_for_file\n"
        "def first():\n    print('printed there')\n"
        "def second():\n    wait_for_file('go-on')\n"
        "steps = [PythonTask(name=it.__name__, function=it) for it in (first, second)]\n"
        "pipeline = Pipeline(steps=steps)\n"
        "def main():\n    pipeline.execute()\n"
        "if __name__ == '__main__':\n    main()\n"
    )
    terminal = Terminal([*EXECUTE[:4], "script.py", "--config=emulator.yaml"])
    terminal.wait_for(lambda it: re.search("^ ✓ first", it, re.MULTILINE) is not None)
    Path("go-on").touch()
    assert terminal.end() == 0
    lines = terminal.everything.splitlines()
    assert lines.count("printed there") == 1
    assert not [it for it in lines if "●" in it]


def test_a_prompt_is_seen_and_answered():
    Path("script.py").write_text(
        "import sys\n"
        "from runnable import PythonTask\n"
        "def work():\n"
        "    print('your name? ', end='', flush=True)\n"
        "    name = sys.stdin.readline().strip()\n"
        "    print('hello', name)\n"
        "PythonTask(name='s', function=work).as_pipeline().execute(progress=True)\n"
    )
    terminal = Terminal([sys.executable, "script.py"])
    terminal.wait_for(lambda it: it.endswith("your name?"))
    terminal.type("Ada\n")
    assert terminal.end() == 0
    assert "your name? Ada\nhello Ada\n" in terminal.everything


def test_a_terminal_that_goes_away_ends_no_run():
    Path("script.py").write_text(
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from runnable import PythonTask\n"
        "from tests.support.terminal import wait_for_file\n"
        "signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
        "def work():\n    wait_for_file('go-on')\n"
        "pipeline = PythonTask(name='s', function=work).as_pipeline()\n"
        "statuses = [pipeline.execute(progress=True).status for _ in range(2)]\n"
        "Path('ended').write_text(repr(statuses))\n"
    )
    terminal = Terminal([sys.executable, "script.py"])
    terminal.wait_for(lambda it: "● s" in it)
    terminal.hang_up()
    Path("go-on").touch()
    wait_for_file("ended")
    assert Path("ended").read_text() == "['SUCCESS', 'SUCCESS']"


def test_lines_of_the_log_stay():
    Path("script.py").write_text(
        "import logging\n"
        "from runnable import PythonTask\n"
        "from tests.support.terminal import wait_for_file\n"
        "logging.basicConfig(level=logging.INFO, format='%(message)s')\n"
        "def work():\n    wait_for_file('go-on')\n"
        "task = PythonTask(name='s', function=work)\n"
        "task.as_pipeline().execute(progress=True, run_id='r1')\n"
    )
    terminal = Terminal([sys.executable, "script.py"])
    terminal.wait_for(lambda it: "● s" in it)
    Path("go-on").touch()
    assert terminal.end() == 0
    lines = terminal.everything.splitlines()
    assert lines[0] == "Run r1: started"
    assert "Run r1: SUCCESS" in lines
    assert not [it for it in lines if "●" in it]


def test_without_standard_error_nothing_is_shown():
    Path("script.py").write_text(
        "import sys\n"
        "from runnable import Stub\n"
        "sys.stderr = None\n"
        "print(Stub(name='s').as_pipeline().execute(progress=True).status)\n"
    )
    finished = subprocess.run(
        [sys.executable, "script.py"], capture_output=True, text=True, check=True
    )
    assert finished.stdout == "SUCCESS\n"


def test_bars_that_go_back_to_the_start_of_their_line_are_shown_once():
    Path("script.py").write_text(
        "import sys\n"
        "from runnable import PythonTask\n"
        "def work():\n"
        "    for number in range(5):\n"
        "        print(f'\\r{number} of 4', end='', file=sys.stderr)\n"
        "pipeline = PythonTask(name='s', function=work).as_pipeline()\n"
        "pipeline.execute(progress=True)\n"
    )
    terminal = Terminal([sys.executable, "script.py"])
    assert terminal.end() == 0
    assert terminal.everything.splitlines()[0] == "4 of 4"


@pytest.mark.parametrize("variables", [{"CI": "true"}, {"TERM": "dumb"}])
def test_nothing_is_drawn_in_ci_and_on_a_dumb_terminal(variables):
    Path("go-on").touch()
    terminal = Terminal(EXECUTE, **variables)
    assert terminal.end() == 1

    assert b"\x1b[?25l" not in terminal.written
    assert re.search(
        r"^\[\S+\] clean: SUCCESS after", terminal.everything, re.MULTILINE
    )


def test_a_terminal_without_unicode_gets_other_signs():
    terminal = Terminal(EXECUTE, PYTHONIOENCODING="ascii")
    screen = terminal.wait_for(is_waiting)
    Path("go-on").touch()
    terminal.end()
    assert re.search(r"^ \+ clean", screen, re.MULTILINE)
