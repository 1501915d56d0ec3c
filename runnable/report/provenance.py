"""The provenance of a run: version of its code, Python, machine, packages."""

from collections.abc import Mapping, Sequence

from runnable.datastore import RunLog, StepLog
from runnable.datastore.outlines import all_entries, entries_of
from runnable.journal import CodeIdentity

_SHOWN_FILES = 3
_OTHERS = {"docker": "image", "argo": "workflow"}
_SHORT = 12


def provenance(run_log: RunLog) -> dict[str, str]:
    """Describe what a run ran with, in a few lines.

    Args:
        run_log: The log of the run.

    Returns:
        By name: `commit` with the files that differ from it, `image`, `workflow`,
        `python`, `machine`; what was not recorded is left out.

    Example:
        >>> config = {"environment": {"python": "3.12.1", "machine": "m1"}}
        >>> provenance(RunLog(run_id="r1", run_config=config))
        {'python': '3.12.1', 'machine': 'm1'}
    """
    rows = {_name(it): _code(it) for it in code_identities(run_log)}
    recorded = environment_of(run_log)
    system = recorded.get("system", "")
    rows["python"] = ", ".join(filter(None, (recorded.get("python", ""), system)))
    user = recorded.get("user", "")
    machine = recorded.get("machine", "")
    rows["machine"] = f"{machine}, by {user}" if machine and user else machine
    return {name: text for name, text in rows.items() if text}


def cached_from(step: StepLog) -> str:
    """Return the id of the run whose result a step has reused; empty if it has run."""
    source = step.attempts[-1].cached_from if step.attempts else ""
    return source.partition("/")[0]


def code_identities(run_log: RunLog) -> Sequence[CodeIdentity]:
    """Return the identities of the code of the latest attempt of a run."""
    attempts = run_log.job.attempts if run_log.job is not None else []
    if not attempts:
        entries = all_entries(entries_of(run_log.steps))
        paths = [step.path for step in entries if step.attempts]
        if paths:
            step, _ = run_log.search_step_by_internal_name(paths[-1])
            attempts = step.attempts
    return attempts[-1].code_identities if attempts else []


def environment_of(run_log: RunLog) -> Mapping[str, str]:
    """Return what was recorded of Python, the machine and the packages."""
    recorded = run_log.run_config.get("environment")
    if not isinstance(recorded, Mapping):
        return {}
    return {name: str(it) for name, it in recorded.items()}


def packages_of(run_log: RunLog) -> dict[str, str]:
    """Return the versions of the packages that were installed, by name."""
    pairs = environment_of(run_log).get("packages", "").split()
    return dict(name.split("==", 1) for name in pairs if "==" in name)


def _name(identity: CodeIdentity) -> str:
    kind = identity.code_identifier_type
    return _OTHERS.get(kind, "commit" if kind == "git" else kind)


def _code(identity: CodeIdentity) -> str:
    if not identity.code_identifier:
        return ""
    is_git = identity.code_identifier_type == "git"
    text = identity.code_identifier[:_SHORT] if is_git else identity.code_identifier
    changed = identity.code_identifier_message
    if not changed:
        return text
    names = [changed] if isinstance(changed, str) else list(changed)
    more = f" and {len(names) - _SHOWN_FILES} more" if len(names) > _SHOWN_FILES else ""
    return f"{text}, with changes in {', '.join(names[:_SHOWN_FILES])}{more}"
