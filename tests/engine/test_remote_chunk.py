"""A chunk as a worker of a cluster runs it: whatever it is sent, it answers."""

import pickle

from runnable.engine.remote_chunk import look_around, run_remote_chunk
from runnable.engine.workers.protocol import Order, Question
from runnable.executor import Sealed
from runnable.system.version import version


class Never:
    def wait(self, seconds):
        return False


def test_what_cannot_be_loaded_is_answered():
    order = Order(b"no pickle", b"", {})
    answer = run_remote_chunk(Sealed(pickle.dumps(order)), Never())
    outcome = pickle.loads(answer.content)
    assert "cannot load its work" in outcome.problem
    assert not outcome.done


def test_a_worker_tells_what_it_sees(tmp_path):
    there = tmp_path / "there"
    there.touch()
    question = Question(["json", "no_such_module"], [str(there), str(tmp_path / "no")])
    facts = pickle.loads(look_around(Sealed(pickle.dumps(question))).content)
    assert facts.version == version()
    assert [it.partition(" ")[0] for it in facts.missing] == ["no_such_module"]
    assert facts.unseen == [str(tmp_path / "no")]


def test_what_is_carried_shows_nothing():
    assert "s3cret" not in repr(Sealed(b"s3cret"))
