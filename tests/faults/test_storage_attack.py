"""The attacks on what is stored; `storage_attack.py` makes more of them."""

import storage_attack as attack

import runnable.catalog.keyed as keyed_catalog


def test_no_attack_succeeds(capfd):
    figures = attack.attack(kills=2)
    assert figures.failed == {}, figures.table()
    assert len(figures.attempted) > 20
    assert figures.attempted.total() > 900


def test_the_attacks_notice_objects_that_are_not_verified(monkeypatch, capfd):
    monkeypatch.setattr(keyed_catalog, "is_same", lambda *_: True)
    figures = attack.Figures()
    attack.changed_objects(figures)
    assert figures.failed["objects replaced by another pickle"] == 1
