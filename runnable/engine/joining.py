"""Join a run for one of its steps, or begin it.

Theory of operation. What is recorded is read, and whatever cannot be run is refused.
Then the step is claimed by a record, and the records are read again: of several that
claim a step, the first one in the journal has it, and nothing has happened unseen.
"""

import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence

from runnable import defaults
from runnable.ambient import active_run
from runnable.clock import seconds
from runnable.context import RunContext
from runnable.datastore import (
    AnyParameter,
    PartFinished,
    PartStarted,
    Record,
)
from runnable.engine.attempt import settle_all
from runnable.engine.claimed import Claimed
from runnable.engine.history import History
from runnable.engine.owners import claim_of, this_process
from runnable.engine.parts import Joined, status_of
from runnable.engine.places import Part, check_turn, find
from runnable.engine.recorder import UnrecordedError, now
from runnable.engine.run import Begun, code_of, make_session, unwrapped
from runnable.engine.runtimes import Runtime
from runnable.engine.session import Conditions, Services, Session, Who, run_started
from runnable.engine.standing import Standing
from runnable.exceptions import (
    RetryValidationError,
    RunError,
    RunLogNotFoundError,
)
from runnable.graph import (
    FailNode,
    Graph,
    SuccessNode,
    changes,
)


@contextlib.asynccontextmanager
async def joined(
    part: Part,
    parameters: Mapping[str, AnyParameter],
    runtime: Runtime,
    services: Services,
    context: RunContext,
    conditions: Conditions,
) -> AsyncIterator[Joined]:
    """Join a run for one of its steps, or begin it if nobody has.

    Args:
        part: The step.
        parameters: Those that the run begins with, if this is its first part.
        runtime: How functions are called.
        services: Where everything is kept.
        context: Describes the run.
        conditions: How it is to go on.

    Yields:
        The step.

    Raises:
        RetryValidationError: If the pipeline is not the one that the run began with.
        NodeNotFoundError: If there is no such step.
    """
    context.set_graph(part.graph)
    store, run_id = services.run_log_store, context.run_id
    begins, records = await _read(parameters, runtime, services, context)
    runs_here = services.under_way.has(store.key(run_id))
    seen = Seen(part, records, context, runs_here=runs_here)
    journal = store.create(run_id) if begins else store.join(run_id)
    begun = Begun(journal, seen.history, (), parameters)
    session = make_session(begun, runtime, services, context, conditions)
    try:
        if begins:
            session.recorder.record(records[0])
        if seen.has_ended():
            yield seen.joined(session)
        else:
            path = seen.place.path
            working = _at_work(part, path, session, runs_here=runs_here)
            with working as seen, active_run():
                yield seen.joined(session)
    except UnrecordedError as error:
        raise unwrapped(error) from error
    finally:
        session.workers.close()
        session.recorder.close()
    if isinstance(seen.place.node, SuccessNode | FailNode) and not seen.branch:
        store.finish(store.get_run_log_by_id(run_id, loader=session.loader))


class Seen:
    """What is recorded of a run, as far as a part of it is concerned.

    Args:
        part: The step.
        records: All records of the run.
        context: Describes the run.
        mine: The claim of this process, if it has claimed the step already.
        runs_here: Whether the run was under way in this process before that.

    Raises:
        RunnableError: If the step cannot be run: it is not there, not its turn,
            somebody else's, or its pipeline has changed.
    """

    def __init__(
        self,
        part: Part,
        records: Sequence[Record],
        context: RunContext,
        mine: PartStarted | None = None,
        *,
        runs_here: bool,
    ) -> None:
        self.history, self.standing = History(records), Standing(records)
        _check_same(context.run_id, self.history, part.graph)
        self.place = find(part, self.standing, context)
        self.branch = self.place.scope.path
        check_turn(self.place, self.history, self.standing)
        path, claim = self.place.path, claim_of(mine) if mine else None
        owners = self.history.owners
        owner = owners.in_the_way(path, claim, runs_here=runs_here)
        if owner is not None and not self.has_ended():
            why = f"{owner} runs it; wait for its end, or end it"
            raise RunError(f"step {path!r} cannot be run: {why}")

    def has_ended(self) -> bool:
        """Tell whether the step has succeeded: whoever asks again gets that answer."""
        node = self.place.node
        if isinstance(node, SuccessNode | FailNode):
            return status_of(node) == self.standing.status_of(self.branch)
        past = self.history.of(self.place.path)
        ended = past.finished if past is not None else None
        return ended is not None and ended.status == defaults.SUCCESS

    def joined(self, session: Session) -> Joined:
        """Return the step, for who has joined the run."""
        ended = self.has_ended()
        return Joined(session, self.standing, self.place, has_ended=ended)


@contextlib.contextmanager
def _at_work(
    part: Part, path: str, session: Session, *, runs_here: bool
) -> Iterator[Seen]:
    """Have others know that this process runs a part, so that it is left alone.

    Yields:
        Where the run stands: what was seen before may have been changed by others.
    """
    store, recorder = session.services.run_log_store, session.recorder
    context, owner = session.context, this_process()
    claim = PartStarted(now(), path, *owner, seconds())
    recorder.record(claim)
    try:
        with Claimed(session.services, context.run_id) as claimed:
            claimed.beat_by(recorder)
            records = list(store.read(context.run_id))
            seen = Seen(part, records, context, claim, runs_here=runs_here)
            session.history = seen.history
            catalog = session.services.catalog
            settle_all(catalog, context.run_id, seen.history, [path])
            for started in seen.standing.around(path):
                recorder.adopt(started)
            yield seen
    finally:
        if not recorder.is_over:
            recorder.record(PartFinished(now(), path, *owner))


async def _read(
    parameters: Mapping[str, AnyParameter],
    runtime: Runtime,
    services: Services,
    context: RunContext,
) -> tuple[bool, list[Record]]:
    """Read what is recorded of a run; of a new one, what will be its first record."""
    try:
        return False, list(services.run_log_store.read(context.run_id))
    except RunLogNotFoundError:
        code = await code_of(services, runtime)
        return True, [run_started(context, dict(parameters), Who(code, in_parts=True))]


def _check_same(run_id: str, history: History, graph: Graph) -> None:
    if history.owners.deleting:
        raise RetryValidationError(run_id, "its deletion was begun; delete it again")
    started = history.started
    if started is None:
        why = "it has only just begun, or its store keeps nothing before its end"
        raise RunError(f"run {run_id!r} cannot be joined: {why}")
    differences = changes(started.run_config.get("dag") or {}, graph.described)
    if differences:
        listed = "".join(f"\n    {line}" for line in differences)
        raise RetryValidationError(run_id, f"it has another pipeline:{listed}")
