"""Whether the process that has a run is still alive."""

import os
import subprocess
import sys
import time
from pathlib import Path

from runnable.engine.process_identity import is_alive, owner_of_step, this_process
from runnable.journal import Claim, Owner, Ownership, StepClaimed, StepReleased

OLD = 0.0


def test_this_process_is_alive():
    assert is_alive(this_process(), OLD)
    assert f"process {os.getpid()} on " in str(this_process())


def test_a_process_that_ended_is_gone():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    assert not is_alive(this_process()._replace(process_id=process.pid), time.time())


def test_another_process_of_the_same_id_is_not_it():
    assert not is_alive(this_process()._replace(process_began="earlier"), time.time())
    # Where that is not known, the id has to do.
    assert is_alive(this_process()._replace(process_began=""), OLD)


def test_on_another_host_heartbeats_decide():
    owner = Owner("elsewhere", 1, "")
    assert is_alive(owner, time.time() - 30)
    assert not is_alive(owner, time.time() - 90)


def test_a_new_claim_revives_no_other_owner():
    ownership = Ownership()
    hour_ago = time.time() - 7200
    ownership.add(StepClaimed("1", "a", "pod-7", 1, "boot:1:pid:[9]", hour_ago))
    mine = StepClaimed("2", "a", *this_process(), time.time())
    ownership.add(mine)
    assert owner_of_step(ownership, "a", Claim.of(mine), runs_here=False) is None


def test_of_two_claims_the_first_one_counts():
    ownership = Ownership()
    first, second = (
        StepClaimed(at, "a", *this_process(), time.time()) for at in ("1", "2")
    )
    ownership.add(first)
    ownership.add(second)
    assert owner_of_step(ownership, "a", Claim.of(first), runs_here=False) is None
    assert owner_of_step(ownership, "a", Claim.of(second), runs_here=False) is not None
    ownership.add(StepReleased("3", "a", *this_process()))
    assert owner_of_step(ownership, "a", Claim.of(first), runs_here=False) is None


def test_a_process_that_nobody_has_waited_for_is_gone():
    """A zombie, as containers have them whose first process waits for nobody."""
    script = (
        "import sys\n"
        "from runnable.engine.process_identity import this_process\n"
        "print(*this_process(), sep='\\n', flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        host, process_id, *began = (process.stdout.readline()[:-1] for _ in range(3))
        owner = Owner(host, int(process_id), *began)
        assert is_alive(owner, OLD)
        process.stdin.close()
        end = time.monotonic() + 30
        while "State:\tZ" not in Path(f"/proc/{process_id}/status").read_text():
            assert time.monotonic() < end
            time.sleep(0.01)
        assert not is_alive(owner, time.time())
        assert not is_alive(owner._replace(process_began=""), time.time())
