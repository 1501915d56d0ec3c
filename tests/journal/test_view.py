"""Views are notified of every record, after the state has applied it."""

from runnable.journal import (
    BranchFinished,
    BranchStarted,
    RunFinished,
    RunStarted,
    RunState,
    StepFinished,
    StepStarted,
)


class Notes:
    """A view that notes each call, with the status at that time."""

    def __init__(self):
        self.calls = []

    def run_changed(self, record):
        self.calls.append(("run", type(record).__name__))

    def step_started(self, step):
        self.calls.append(("started", step.path, step.is_open))

    def step_finished(self, step, record):
        self.calls.append(("finished", step.path, step.status, step.is_open))

    def branch_started(self, branch):
        self.calls.append(("branch started", branch.path, branch.is_open))

    def branch_finished(self, branch):
        self.calls.append(("branch finished", branch.path, branch.status))


def test_each_call_sees_the_state_after_its_record():
    notes = Notes()
    state = RunState(view=notes)
    records = [
        RunStarted("", "r1", "", "", {}, {}, []),
        StepStarted("", "p", "p", "parallel", 0),
        BranchStarted("", "p.a", {}),
        StepStarted("", "p.a.s", "s", "task", 1),
        StepFinished("", "p.a.s", "FAIL", {}, [], 1),
        BranchFinished("", "p.a", "FAIL"),
        StepFinished("", "p", "FAIL", {}, [], 0),
        RunFinished("", "FAIL"),
    ]
    for record in records:
        state.add(record)
    assert notes.calls == [
        ("run", "RunStarted"),
        ("started", "p", True),
        ("branch started", "p.a", True),
        ("started", "p.a.s", True),
        ("finished", "p.a.s", "FAIL", False),
        ("branch finished", "p.a", "FAIL"),
        ("finished", "p", "FAIL", False),
        ("run", "RunFinished"),
    ]
