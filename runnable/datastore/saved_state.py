"""Save the state of a run, so that a process that joins it need not read all records.

A saved state is a cache: the journal alone decides. It is JSON, with a checksum, and
names the run that it was made of, since a run id may be used again after a deletion.
"""

import zlib
from collections.abc import Mapping
from typing import Any

from runnable.datastore.codec import (
    as_json,
    dump_json,
    encode,
    from_json_fields,
    parse_json,
)
from runnable.datastore.parameters import from_plain, to_plain
from runnable.journal import (
    Claim,
    Owner,
    Ownership,
    RunStarted,
    RunState,
    ScopeState,
    StepStarted,
    StepState,
)

_FORMAT = 5


def dump_state(state: RunState) -> bytes:
    """Turn the state of a run into bytes.

    Args:
        state: A state that remembers everything, and has started.
    """
    assert state.started is not None  # noqa: S101 - only such states are saved
    ownership = state.ownership
    content = {
        "format": _FORMAT,
        "count": state.count,
        "status": state.status,
        "has_succeeded": state.has_succeeded,
        "made_of": _fingerprint(state.started),
        "root": _scope(state.root),
        "open": list(state.open),
        "secret_names": sorted(state.secret_names),
        "metrics": state.metrics,
        "claims": ownership.claims,
        "last_heartbeat": ownership.last_heartbeat,
        "launches_steps": ownership.launches_steps,
    }
    body = dump_json(content)
    return b"%08x%b" % (zlib.crc32(body), body)


def load_state(content: bytes, first: RunStarted) -> RunState | None:
    """Restore the state of a run.

    Args:
        content: As `dump_state` made it.
        first: The first record of the run.

    Returns:
        The state; None if it is of another run, or not what was saved.
    """
    if content[:8] != b"%08x" % zlib.crc32(content[8:]):
        return None
    plain = parse_json(content[8:])
    if plain["format"] != _FORMAT or plain["made_of"] != _fingerprint(first):
        return None
    ownership = Ownership()
    ownership.claims = [Claim(Owner(*owner), *rest) for owner, *rest in plain["claims"]]
    ownership.last_heartbeat = plain["last_heartbeat"]
    ownership.launches_steps = plain["launches_steps"]
    state = RunState.restored(
        first,
        _restored_scope(plain["root"], first.parameters),
        count=plain["count"],
        status=plain["status"],
        has_succeeded=plain["has_succeeded"],
        open_paths=plain["open"],
        ownership=ownership,
        secret_names=plain["secret_names"],
    )
    state.metrics = plain["metrics"]
    return state


def _fingerprint(first: RunStarted) -> int:
    """Distinguish the first record of a run from that of any other."""
    return zlib.crc32(encode(first))


def _scope(scope: ScopeState) -> dict[str, Any]:
    plain: dict[str, Any] = {
        "path": scope.path,
        "variables": dict(scope.variables),
        "texts": dict(scope.texts),
        "status": scope.status,
        "is_open": scope.is_open,
        "is_replayed": scope.is_replayed,
        "reason": scope.reason,
        "open_inside": scope.open_inside,
        "steps": [_step(step) for step in scope.steps.values()],
    }
    if scope.path:
        plain["initial"] = to_plain(scope.initial)
    if scope.is_replayed:
        plain["parameters"] = to_plain(scope.parameters)
    return plain


def _step(step: StepState) -> dict[str, Any]:
    return {
        "started": as_json(step.started),
        "is_open": step.is_open,
        "status": step.status,
        "tries": step.tries,
        "message": step.message,
        "outputs": to_plain(step.outputs),
        "unrecorded": step.unrecorded,
        "open_inside": step.open_inside,
        "branches": [_scope(branch) for branch in step.branches.values()],
    }


def _restored_scope(plain: dict[str, Any], initial: Mapping[str, Any]) -> ScopeState:
    steps = [_restored_step(step) for step in plain.pop("steps")]
    if "initial" in plain:
        initial = from_plain(plain.pop("initial"))
    # Without steps that are tried again, each one has added its outputs.
    parameters = dict(initial)
    for step in steps:
        parameters.update(step.outputs)
    if "parameters" in plain:
        parameters = from_plain(plain.pop("parameters"))
    named = {step.started.name: step for step in steps}
    return ScopeState(initial=initial, parameters=parameters, steps=named, **plain)


def _restored_step(plain: dict[str, Any]) -> StepState:
    started = from_json_fields(plain.pop("started"))
    assert isinstance(started, StepStarted)  # noqa: S101 - as it was saved
    branches = [_restored_scope(branch, {}) for branch in plain.pop("branches")]
    return StepState(
        started.path,
        started,
        outputs=from_plain(plain.pop("outputs")),
        unrecorded=tuple(plain.pop("unrecorded")),
        branches={branch.path: branch for branch in branches},
        **plain,
    )
