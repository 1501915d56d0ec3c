"""The attacks on isolation; `isolation_attack.py` makes more of them."""

import os

import isolation_attack as attack
import pytest
import test_many_runs


def test_no_attack_succeeds(capfd):
    figures = attack.attack(60)
    assert figures.failed == {}, figures.table()
    assert len(figures.attempted) > 30
    assert figures.attempted.total() > 1500


@pytest.mark.parametrize(
    "break_it", [test_many_runs.break_current_run, test_many_runs.break_environment]
)
def test_the_attacks_notice_broken_isolation(break_it, monkeypatch, tmp_path, capfd):
    figures, saved = attack.Figures(), dict(os.environ)
    with monkeypatch.context() as patch:
        break_it(patch)
        try:
            attack.in_threads(figures, 60, tmp_path)
        except Exception as error:
            figures.check("threads", held=False, example=error)
        finally:
            for name in set(os.environ) - set(saved):
                del os.environ[name]
    assert figures.failed.total() > 0
