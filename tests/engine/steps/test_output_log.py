"""Output of a step: whole lines, no secrets, in the order in which it was written."""

import io
import re
import resource

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runnable import ExecutionFailedError, PythonTask, ShellTask
from runnable.engine.steps import output_log
from runnable.engine.steps.output_log import OutputLog
from runnable.secrets import Masker

SECRET = "s3cr3t-value"


def masker():
    masker = Masker()
    masker.learn("TOKEN", SECRET)
    return masker


@given(st.lists(st.text(max_size=6)), st.integers(1, 5))
def test_a_secret_is_masked_however_it_is_cut_into_pieces(texts, size):
    text = "".join(f"{it}{SECRET}" for it in texts) + "end"
    log, target = OutputLog("a", masker()), io.StringIO(newline="")
    for at in range(0, len(text), size):
        log.write(text[at : at + size], target)
    log.close()
    assert SECRET not in target.getvalue()
    assert SECRET not in "".join(log.texts())
    assert target.getvalue().count("***") >= len(texts)


@given(st.lists(st.text(alphabet="ab\n", max_size=5)))
def test_named_lines_have_the_name_of_their_step(pieces):
    log, target = OutputLog("a.b", Masker(), "named"), io.StringIO(newline="")
    for piece in pieces:
        log.write(piece, target)
    log.close()
    text = "".join(pieces)
    lines = text.split("\n")
    expected = lines if lines[-1] else lines[:-1]
    assert target.getvalue() == "".join(f"[a.b] {line}\n" for line in expected)
    assert "".join(log.texts()) == text


def test_output_that_is_not_shown_is_kept():
    log, target = OutputLog("a", Masker(), "none"), io.StringIO()
    log.write("hidden\n", target)
    log.keep("shown by the kernel\n")
    log.close()
    assert target.getvalue() == ""
    assert "".join(log.texts()) == "hidden\nshown by the kernel\n"


def test_a_thread_that_was_left_shows_nothing_any_more():
    log, target = OutputLog("a", Masker()), io.StringIO()
    log.write("in time\n", target)
    log.mute()
    log.write("late\n", target)
    assert target.getvalue() == "".join(log.texts()) == "in time\n"


def test_streams_do_not_cut_each_other_s_secrets():
    log, out, err = OutputLog("a", masker()), io.StringIO(), io.StringIO()
    log.write(SECRET[:5], out)
    log.write("warning\n", err)
    log.write(SECRET[5:] + "\n", out)
    log.close()
    assert (out.getvalue(), err.getvalue()) == ("***\n", "warning\n")


@given(
    st.lists(st.sampled_from(["a", "line\n", "é", SECRET, SECRET[:5]])),
    st.integers(1, 7),
    st.booleans(),
)
def test_long_output_is_kept_whole_without_secrets(pieces, size, knows):
    """However little fits into memory, and whenever the secret becomes known."""
    text = "".join(pieces)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(output_log, "MOST_IN_MEMORY", size)
        log = OutputLog("a", masker() if knows else Masker())
        target = io.StringIO()
        for piece in pieces:
            log.write(piece, target)
        log._masker.add([SECRET])
        log.close()
        kept = "".join(log.texts())
        assert kept == "".join(log.texts())
        log.release()
    assert kept == text.replace(SECRET, "***")


def test_text_that_has_no_encoding_is_kept_escaped(monkeypatch):
    monkeypatch.setattr(output_log, "MOST_IN_MEMORY", 2)
    log = OutputLog("a", Masker())
    log.keep("abc\ud800")
    assert "".join(log.texts()) == "abc\\ud800"
    log.release()


def test_of_very_long_output_the_beginning_and_the_end_are_kept(monkeypatch):
    monkeypatch.setattr(output_log, "MOST_IN_MEMORY", 10)
    monkeypatch.setattr(output_log, "MOST_KEPT", 20)
    monkeypatch.setattr(output_log, "_PIECE", 4)
    log = OutputLog("a", Masker())
    for number in range(30):
        log.write(f"{number:02d}", io.StringIO())
    kept = "".join(log.texts())
    log.release()
    mark = (
        r"\n\[(\d+) characters are left out: an execution log has the first 20 of an "
        r"attempt, and the last ones\]\n"
    )
    head, left_out, tail = re.split(mark, kept)
    assert head == "00010203040506070809"
    assert "".join(f"{number:02d}" for number in range(30)).endswith(tail)
    assert len(head) + int(left_out) + len(tail) == 60
    assert len(tail) >= 4


def test_what_comes_after_the_end_is_shown_and_not_kept(monkeypatch):
    monkeypatch.setattr(output_log, "MOST_IN_MEMORY", 2)
    log, target = OutputLog("a", Masker()), io.StringIO()
    log.release()
    log.write("much later", target)
    assert target.getvalue() == "much later"
    assert not log.is_long


def test_output_costs_a_bounded_amount_of_memory(tmp_path, monkeypatch):
    line = "x" * 60
    command = f"yes {line} | head -c 60000000"
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with (tmp_path / "shown").open("w") as shown:
        monkeypatch.setattr("sys.stdout", shown)
        ShellTask(name="t", command=command).as_pipeline().execute(run_id="r1")
        monkeypatch.undo()
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    (log,) = tmp_path.glob(".catalog/r1/t*.execution.log")
    assert log.stat().st_size == 60_000_000
    assert (after - before) * 1024 < 60_000_000


def test_a_huge_error_is_whole_in_the_execution_log_alone(tmp_path):
    def fail():
        raise ValueError("begin" + "x" * 3_000_000 + "end")

    task = PythonTask(name="t", function=fail)
    with pytest.raises(ExecutionFailedError) as caught:
        task.as_pipeline().execute(run_id="r1")
    (log,) = tmp_path.glob(".catalog/r1/t*.execution.log")
    assert log.stat().st_size > 3_000_000
    (journal,) = tmp_path.glob(".run_log_store/*.jsonl")
    assert journal.stat().st_size < 200_000
    assert len(str(caught.value)) < 20_000
    message = caught.value.run_log.steps["t"].attempts[0].message
    assert message.startswith("ValueError: begin")
    assert message.endswith("end")
    assert "characters are left out here" in message
