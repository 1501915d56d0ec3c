"""Standard streams, which also go to the log of the step that writes."""

import contextlib
import io
import logging
import sys
from pathlib import Path

from runnable import Pipeline, PythonTask
from runnable.ambient import active_run


def log_of(function):
    Pipeline(steps=[PythonTask(name="s", function=function)]).execute(run_id="r1")
    (log,) = Path(".catalog/r1").glob("s???.execution.log")
    return log.read_text()


def test_output_is_shown_and_kept(capsys):
    def talk():
        print("out")
        print("err", file=sys.stderr)
        sys.stdout.writelines(["a\n", "b\n"])
        sys.stdout.flush()
        assert sys.stdout.encoding

    assert log_of(talk) == "out\nerr\na\nb\n"
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("out\na\nb\n", "err\n")


def test_a_stream_that_the_user_puts_in_place_is_left_alone():
    mine = io.StringIO()

    def redirect():
        with contextlib.redirect_stdout(mine):
            print("for me")
        print("for all")

    assert log_of(redirect) == "for all\n"
    assert mine.getvalue() == "for me\n"


def test_a_replaced_stream_survives_the_run(monkeypatch):
    mine = io.StringIO()

    def replace():
        monkeypatch.setattr(sys, "stdout", mine)

    log_of(replace)
    assert sys.stdout is mine


def test_without_a_stream_nothing_is_routed(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    assert log_of(lambda: print("nowhere")) == ""


def test_handlers_are_pointed_back(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    handler = logging.StreamHandler(stream)
    logging.getLogger().addHandler(handler)
    try:
        with active_run():
            assert handler.stream is sys.stderr is not stream
        assert handler.stream is sys.stderr is stream
    finally:
        logging.getLogger().removeHandler(handler)
