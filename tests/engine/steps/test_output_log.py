"""Output of a step: whole lines, no secrets, in the order in which it was written."""

import io

from hypothesis import given
from hypothesis import strategies as st

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
    assert SECRET not in log.text()
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
    assert log.text() == text


def test_output_that_is_not_shown_is_kept():
    log, target = OutputLog("a", Masker(), "none"), io.StringIO()
    log.write("hidden\n", target)
    log.keep("shown by the kernel\n")
    log.close()
    assert target.getvalue() == ""
    assert log.text() == "hidden\nshown by the kernel\n"


def test_a_thread_that_was_left_shows_nothing_any_more():
    log, target = OutputLog("a", Masker()), io.StringIO()
    log.write("in time\n", target)
    log.mute()
    log.write("late\n", target)
    assert target.getvalue() == log.text() == "in time\n"


def test_streams_do_not_cut_each_other_s_secrets():
    log, out, err = OutputLog("a", masker()), io.StringIO(), io.StringIO()
    log.write(SECRET[:5], out)
    log.write("warning\n", err)
    log.write(SECRET[5:] + "\n", out)
    log.close()
    assert (out.getvalue(), err.getvalue()) == ("***\n", "warning\n")
