"""Whether a run that has stopped may go on, and with what.

Theory of operation. A run that is under way somewhere must not be resumed; whether it
is, its last owner tells (`owners`). Between looking and going on, somebody else may go
on first: the store accepts the record that resumes a run only if there are as many
records as were seen. What steps do must be what they did; how they run may change.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from pydantic import JsonValue

from runnable.clock import seconds
from runnable.datastore import (
    AnyParameter,
    CodeIdentity,
    ObjectParameter,
    RunDeleting,
    RunResumed,
)
from runnable.engine.history import History
from runnable.engine.owners import this_process
from runnable.engine.recorder import now
from runnable.engine.session import Who
from runnable.exceptions import RetryValidationError
from runnable.graph import Graph, changes

_SHOWN = 20


class Stopped(NamedTuple):
    """A run that may go on."""

    history: History
    parameters: Mapping[str, AnyParameter]
    """Those that it goes on with."""
    notes: tuple[str, ...]
    """What is not as it was."""

    def record(self, who: Who) -> RunResumed:
        """Return the record that resumes the run."""
        notes = [*self.notes, *_other_code(self.history, who.code)]
        said = seconds(), "; ".join(notes), who.in_parts
        return RunResumed(now(), [who.code], *this_process(), *said)


def check(
    run_id: str,
    history: History,
    graph: Graph,
    given: Mapping[str, AnyParameter],
) -> Stopped:
    """Find out whether a run may go on that nobody in this process has.

    Args:
        run_id: The id of the run.
        history: What is recorded of it.
        graph: The graph that is to go on with.
        given: Parameters that the caller gives; the recorded ones stay.

    Returns:
        What is needed to go on.

    Raises:
        RetryValidationError: If it is under way, its graph has changed, or something
            that it needs has not been kept.
    """
    owner = history.owners.other_at_work()
    if owner is not None:
        raise RetryValidationError(
            run_id, f"it is under way: {owner} runs it; wait for its end, or end it"
        )
    if history.owners.deleting:
        raise RetryValidationError(run_id, "its deletion was begun; delete it again")
    started = history.started
    if started is None:
        raise RetryValidationError(
            run_id, "nothing is recorded of it but that it was begun; start a new run"
        )
    differences = changes(_graph_of(started.run_config), graph.described)
    if differences:
        listed = "".join(f"\n    {line}" for line in differences[:_SHOWN])
        if len(differences) > _SHOWN:
            listed += f"\n    and {len(differences) - _SHOWN} more"
        why = f"its pipeline has changed; start a new run, or undo:{listed}"
        raise RetryValidationError(run_id, why)
    lost = "; ".join(_lost(history))
    if lost:
        raise RetryValidationError(run_id, f"{lost}; start a new run")
    notes = tuple(_other_parameters(started.parameters, given))
    return Stopped(history, started.parameters, notes)


def is_under_way(history: History) -> bool:
    """Tell whether another process runs a run now, or a part of it.

    Args:
        history: What is recorded of the run.
    """
    return history.owners.other_at_work() is not None


def deleting() -> RunDeleting:
    """Return the record by which a run is deleted, for `BaseRunLogStore.reopen`."""
    return RunDeleting(now(), *this_process(), seconds())


def _graph_of(run_config: Mapping[str, JsonValue]) -> JsonValue:
    return run_config.get("dag") or {}


def _lost(history: History) -> Iterator[str]:
    """Yield what finished steps returned that cannot be read again."""
    for finished in history.succeeded():
        where = f"step {finished.path!r} returned"
        for name in finished.masked:
            yield f"{where} {name!r} with a secret in it, which is not kept"
        for name, parameter in finished.outputs.items():
            if isinstance(parameter, ObjectParameter) and not parameter.sha256:
                yield f"{where} the object {name!r}, which was kept in memory only"


def _other_parameters(
    recorded: Mapping[str, AnyParameter], given: Mapping[str, AnyParameter]
) -> Iterator[str]:
    other = sorted(
        name
        for name, parameter in given.items()
        if name not in recorded or recorded[name].value != parameter.value
    )
    if other:
        yield f"it goes on with its own parameters; not used: {', '.join(other)}"


def _other_code(history: History, code: CodeIdentity) -> Iterator[str]:
    started = history.started
    if started is None or not started.code:
        return
    before = started.code[0]
    if before.code_identifier != code.code_identifier:
        yield (
            f"the code is another version: {code.code_identifier}, not "
            f"{before.code_identifier}"
        )
    elif before.code_identifier_message != code.code_identifier_message:
        yield "other files differ from the committed code than before"
