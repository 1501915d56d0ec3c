"""A model of runs that start, fail, are cancelled, crash and are resumed; the store agrees."""

import contextlib
import tempfile

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from runnable import ExecutionFailedError, Pipeline, PythonTask
from runnable.datastore.file_system import FileSystemRunLogStore
from runnable.datastore.sql import SqliteRunLogStore
from runnable.exceptions import RunLogExistsError, RunLogNotFoundError

STEPS = 4
ENDS = st.sampled_from(["ok", "ok", "fail", "fail twice", "cancel", "crash"])
STATUSES = {"fail": "FAIL", "cancel": "CANCELLED", "crash": "PROCESSING"}


class Dying:
    """A store of a process that can be made to die: nothing is kept any more."""

    dead = False

    def create(self, run_id, first):
        return self._mortal(super().create(run_id, first))

    def reopen(self, run_id, first, seen):
        return self._mortal(super().reopen(run_id, first, seen))

    def _mortal(self, journal):
        append = journal.append

        def tell(*records):
            if type(self).dead:
                raise OSError("the process is gone")
            append(*records)

        journal.append = tell
        return journal


class DyingFiles(Dying, FileSystemRunLogStore):
    pass


class DyingSqlite(Dying, SqliteRunLogStore):
    pass


class Runs(RuleBasedStateMachine):
    """One run of four steps, of which each is retried once."""

    store_type: type = DyingFiles
    option = "log_folder"

    def __init__(self):
        super().__init__()
        self.place = contextlib.ExitStack()
        folder = self.place.enter_context(tempfile.TemporaryDirectory())
        self.options = {self.option: f"{folder}/logs"}
        self.begun = False
        self.status = ""
        self.done = 0
        self.calls = [0] * STEPS

    def teardown(self):
        self.place.close()

    def execute(self, ends, **which):
        self.store_type.dead = False
        store = self.store_type(**self.options)
        tries = [0] * STEPS

        def work(n: int, place: int):
            self.calls[place] += 1
            tries[place] += 1
            if ends[place] == "cancel":
                raise KeyboardInterrupt
            if ends[place] == "crash":
                self.store_type.dead = True
            fails = {"fail": 1, "fail twice": 2}.get(ends[place], 0)
            if tries[place] <= fails:
                raise ValueError("no")
            return n + 1

        pipeline = Pipeline(
            steps=[
                PythonTask(
                    name=f"s{place}",
                    function=lambda n, place=place: work(n, place),
                    returns=["n"],
                    retries=1,
                )
                for place in range(STEPS)
            ]
        )
        try:
            pipeline.execute(
                parameters={"n": 0}, services={"run_log_store": store}, **which
            )
        except (ExecutionFailedError, KeyboardInterrupt):
            pass
        finally:
            store.close()

    def expect(self, ends):
        """Work out what comes of it."""
        for place in range(self.done, STEPS):
            end = ends[place]
            if end in {"cancel", "crash", "fail twice"}:
                self.status = STATUSES[end.split()[0]]
                return
            self.done += 1
        self.status = "SUCCESS"

    def expected_calls(self, ends):
        calls = list(self.calls)
        for place in range(self.done, STEPS):
            calls[place] += 2 if ends[place].startswith("fail") else 1
            if ends[place] in {"cancel", "crash", "fail twice"}:
                break
        return calls

    @precondition(lambda self: not self.begun)
    @rule()
    def resume_nothing(self):
        with pytest.raises(RunLogNotFoundError):
            self.execute(["ok"] * STEPS, resume="r1")

    @precondition(lambda self: not self.begun)
    @rule(ends=st.lists(ENDS, min_size=STEPS, max_size=STEPS))
    def start(self, ends):
        self.begun = True
        self.go(ends, run_id="r1")

    @precondition(lambda self: self.begun)
    @rule()
    def start_again(self):
        before = list(self.calls)
        with pytest.raises(RunLogExistsError):
            self.execute(["ok"] * STEPS, run_id="r1")
        assert self.calls == before

    @precondition(lambda self: self.begun)
    @rule(ends=st.lists(ENDS, min_size=STEPS, max_size=STEPS))
    def resume(self, ends):
        self.go(ends, resume="r1")

    def go(self, ends, **which):
        calls = self.expected_calls(ends)
        self.execute(ends, **which)
        assert self.calls == calls
        self.expect(ends)
        self.check()

    def check(self):
        store = self.store_type(**self.options)
        log = store.get_run_log_by_id("r1")
        store.close()
        assert log.status == self.status
        assert log.parameters["n"].value == self.done
        for place in range(STEPS):
            step = log.steps.get(f"s{place}")
            assert (step is not None) == (self.calls[place] > 0)
            if step is None:
                continue
            assert len(step.attempts) == self.calls[place]
            numbers = [attempt.attempt_number for attempt in step.attempts]
            assert numbers == list(range(1, len(numbers) + 1))
            assert (step.status == "SUCCESS") == (place < self.done)


class RunsInSqlite(Runs):
    store_type = DyingSqlite
    option = "location"


TestFiles = Runs.TestCase
TestFiles.settings = settings(max_examples=40, stateful_step_count=8, deadline=None)
TestSqlite = RunsInSqlite.TestCase
TestSqlite.settings = settings(max_examples=20, stateful_step_count=8, deadline=None)
