"""What steps write: on the console while it comes, and whole in their logs."""

import asyncio
import io
import logging
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runnable import (
    ExecutionFailedError,
    Map,
    Pipeline,
    PythonTask,
    ShellTask,
)
from runnable.engine.steps.output_log import OutputLog
from runnable.exceptions import ConfigurationError
from runnable.secrets import Masker

NAMED = {"pipeline_executor": {"type": "local", "config": {"console": "named"}}}
SILENT = {"pipeline_executor": {"type": "local", "config": {"console": "none"}}}


def log_of(path, run_id="r1"):
    letters = "".join(filter(str.isalnum, path))
    (log,) = Path(".catalog", run_id).glob(f"{letters}???.execution.log")
    return log.read_text()


def mapped(function, **more):
    step = PythonTask(name="s", function=function)
    return Pipeline(
        steps=[
            Map(
                name="m",
                branch=step.as_pipeline(),
                iterate_on="xs",
                iterate_as="x",
                **more,
            )
        ]
    )


@given(
    secret=st.text("ab", min_size=4, max_size=6),
    other=st.text("ab", min_size=4, max_size=8),
    pieces=st.lists(st.text("abc", max_size=5), max_size=20),
)
def test_output_in_pieces_is_masked_as_a_whole(secret, other, pieces):
    masker = Masker()
    masker.add([secret, other])
    shown = io.StringIO()
    log = OutputLog("s", masker)
    for piece in pieces:
        log.write(piece, shown)
    log.close()
    assert shown.getvalue() == masker.text("".join(pieces))
    assert "".join(log.texts()) == masker.text("".join(pieces))


def test_pieces_of_a_secret_with_something_else_in_between():
    masker, shown = Masker(), io.StringIO()
    masker.add(["open sesame"])
    for console in ("plain", "named", "none"):
        log = OutputLog("s", masker, console)
        log.write("open ", shown)
        log.write("progress\n", io.StringIO())
        log.keep("WARNING:a record\n")
        log.write("sesame\n", shown)
        log.close()
        assert "".join(log.texts()) == "progress\nWARNING:a record\n***\n"


@given(pieces=st.lists(st.text("ab\n", max_size=5), max_size=20))
def test_named_lines_are_whole(pieces):
    shown = io.StringIO()
    log = OutputLog("p.left", Masker(), "named")
    for piece in pieces:
        log.write(piece, shown)
    log.close()
    text = "".join(pieces)
    lines = text.split("\n")
    if not lines[-1]:
        lines.pop()
    assert shown.getvalue() == "".join(f"[p.left] {line}\n" for line in lines)


def test_without_secrets_everything_appears_at_once():
    shown = io.StringIO()
    log = OutputLog("s", Masker())
    log.write("half a li", shown)
    assert shown.getvalue() == "half a li"


@pytest.mark.parametrize("parallelism", ["thread", "process", "none"])
def test_lines_of_branches_that_overlap_carry_their_names(parallelism, capsys):
    def talk(x):
        for number in range(20):
            sys.stdout.write(f"{x}")
            sys.stdout.write(f" says {number}\n")

    mapped(talk, parallelism=parallelism).execute(
        run_id="r1", parameters={"xs": list(range(8))}, services=NAMED
    )
    lines = capsys.readouterr().out.splitlines()
    assert sorted(lines) == sorted(
        f"[m.{x}.s] {x} says {number}" for x in range(8) for number in range(20)
    )
    for x in range(8):
        assert log_of(f"m.{x}.s") == "".join(f"{x} says {n}\n" for n in range(20))


async def test_lines_of_asyncio_tasks_that_overlap_carry_their_names(capsys):
    async def talk(x):
        for number in range(20):
            sys.stdout.write(f"{x}")
            await asyncio.sleep(0)
            sys.stdout.write(f" says {number}\n")

    await mapped(talk).execute_async(
        run_id="r1", parameters={"xs": list(range(8))}, services=NAMED
    )
    lines = capsys.readouterr().out.splitlines()
    assert sorted(lines) == sorted(
        f"[m.{x}.s] {x} says {number}" for x in range(8) for number in range(20)
    )
    for x in range(8):
        assert log_of(f"m.{x}.s") == "".join(f"{x} says {n}\n" for n in range(20))


def test_64_threads_that_print_at_once_have_their_own_lines_only():
    meeting = threading.Barrier(64)
    pipeline = Pipeline(steps=[PythonTask(name="s", function=lambda who: talk(who))])

    def talk(who):
        meeting.wait(60)
        for number in range(200):
            print(who, "says", number)
            if number % 50 == 0:
                logging.getLogger("some.library").warning("%s warns %s", who, number)

    def run(who):
        pipeline.execute(run_id=f"r{who}", parameters={"who": who}, services=SILENT)

    threads = [threading.Thread(target=run, args=(who,)) for who in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for who in range(64):
        expected = [f"{who} says {number}" for number in range(200)]
        lines = log_of("s", f"r{who}").splitlines()
        assert [line for line in lines if "says" in line] == expected
        assert [line for line in lines if "says" not in line] == [
            f"WARNING:some.library:{who} warns {number}" for number in (0, 50, 100, 150)
        ]


def test_nothing_is_lost_when_a_step_fails(capsys):
    def fail():
        print("first")
        sys.stdout.write("no end of line")
        raise ValueError("bad")

    with pytest.raises(ExecutionFailedError):
        Pipeline(steps=[PythonTask(name="s", function=fail)]).execute(
            run_id="r1", services=NAMED
        )
    assert capsys.readouterr().out == "[s] first\n[s] no end of line\n"
    assert log_of("s").startswith("first\nno end of lineTraceback")


def test_silence_on_the_console_keeps_the_log(capsys):
    Pipeline(
        steps=[
            PythonTask(name="s", function=lambda: print("hello")),
            ShellTask(name="t", command="echo there; echo oops >&2"),
        ]
    ).execute(run_id="r1", services=SILENT)
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", "")
    assert log_of("s") == "hello\n"
    assert sorted(log_of("t").split()) == ["oops", "there"]


@pytest.mark.parametrize("console", ["plain", "named"])
def test_secrets_are_masked_on_the_console_also_in_pieces(console, capsys, monkeypatch):
    monkeypatch.setenv("TOKEN", "open sesame")

    def leak():
        import os

        token = os.environ["TOKEN"]
        print("whole", token)
        for letter in token:
            sys.stdout.write(letter)
        sys.stdout.write("\n")
        print(token[:4], end="")
        sys.stdout.flush()
        logging.getLogger("some.library").warning("it is %s", token)

    services = {"pipeline_executor": {"type": "local", "config": {"console": console}}}
    step = PythonTask(name="s", function=leak, secrets=["TOKEN"])
    Pipeline(steps=[step]).execute(run_id="r1", services=services)
    shown = capsys.readouterr()
    lines = re.sub(r"^\[s\] ", "", shown.out, flags=re.MULTILINE)
    assert lines.rstrip("\n") == "whole ***\n***\nopen"
    log = log_of("s")
    assert "it is ***" in log
    assert "open sesame" not in log


def test_a_handler_of_a_named_logger_that_has_the_stream_is_captured(capsys):
    library = logging.getLogger("captured.library")
    handler = logging.StreamHandler(sys.stderr)
    library.addHandler(handler)
    library.propagate = False
    before = handler.stream
    try:
        Pipeline(
            steps=[PythonTask(name="s", function=lambda: library.warning("careful"))]
        ).execute(run_id="r1")
        assert handler.stream is before
    finally:
        library.removeHandler(handler)
        library.propagate = True
    assert log_of("s") == "careful\n"
    assert capsys.readouterr().err == "careful\n"


def test_log_records_are_kept_although_handlers_fail(tmp_path, caplog):
    """The root logger has handlers here, and none of them writes to a stream."""
    library = logging.getLogger("some.library")
    factory = logging.getLogRecordFactory()
    before = logging.getLogger().handlers[:]

    def log():
        assert logging.getLogger().handlers == before
        library.warning("%d rows", 3)
        library.info("too quiet")
        try:
            raise ValueError("bad")
        except ValueError:
            library.exception("it failed")

    Pipeline(steps=[PythonTask(name="s", function=log)]).execute(run_id="r1")
    kept = log_of("s")
    assert kept.startswith(
        "WARNING:some.library:3 rows\nERROR:some.library:it failed\n"
    )
    assert kept.endswith("ValueError: bad\n")
    assert "too quiet" not in kept
    assert logging.getLogRecordFactory() is factory


def test_bytes_are_captured(capsysbinary):
    def write():
        sys.stdout.buffer.write(b"caf\xc3\xa9 \xff\n")
        sys.stdout.buffer.flush()

    Pipeline(steps=[PythonTask(name="s", function=write)]).execute(run_id="r1")
    assert log_of("s") == "café \\xff\n"
    assert capsysbinary.readouterr().out.decode() == "café \\xff\n"


def test_a_wrong_setting_is_refused():
    services = {"pipeline_executor": {"type": "local", "config": {"console": "loud"}}}
    with pytest.raises(ConfigurationError, match="console"):
        Pipeline(steps=[PythonTask(name="s", function=print)]).execute(
            services=services
        )


CLOSING = """
import gc, io, sys
from runnable import Pipeline, PythonTask

def wrap():
    io.TextIOWrapper(sys.stdout.buffer, "utf-8").write("wrapped\\n")
    gc.collect()

def close():
    print("closing")
    sys.stdout.close()
    sys.stderr.close()

def detach():
    io.TextIOWrapper(sys.stdout.detach(), "utf-8").write("detached\\n")
    gc.collect()

def use_raw():
    io.TextIOWrapper(io.BufferedWriter(sys.stdout.buffer.raw)).write("raw\\n")
    gc.collect()

def nothing():
    print("a later step")

steps = [PythonTask(name=it.__name__, function=it) for it in FUNCTIONS]
Pipeline(steps=steps).execute()
print("the host", flush=True)
sys.stderr.write("the host\\n")
"""


@pytest.mark.parametrize("name", ["wrap", "close", "detach", "use_raw"])
def test_a_task_does_not_close_the_streams_of_the_process(name):
    script = CLOSING.replace("FUNCTIONS", f"[{name}, nothing]")
    finished = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0, finished.stderr
    lines = finished.stdout.splitlines()
    assert lines[-2:] == ["a later step", "the host"]
    assert finished.stderr == "the host\n"
    assert len(lines) == 3
