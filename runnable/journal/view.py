"""The port of views: objects that follow the state of a run."""

from typing import Protocol

from runnable.journal.records import Record, StepFinished
from runnable.journal.scope_tree import ScopeState, StepState


class RunView(Protocol):
    """Derives something from the state while records are applied, such as a run log.

    Each method is called after the state has applied the record.
    """

    def run_changed(self, record: Record) -> None:
        """A record about the whole run was applied."""

    def step_started(self, step: StepState) -> None:
        """An attempt has started; `step.started` is its record."""

    def step_finished(self, step: StepState, record: StepFinished) -> None:
        """An attempt has ended; its outputs are not yet parameters of its scope."""

    def branch_started(self, branch: ScopeState) -> None:
        """A branch has started, or started again."""

    def branch_finished(self, branch: ScopeState) -> None:
        """A branch has ended."""
