"""Summaries of runs in the names of objects: one request lists a thousand of them.

Theory of operation. When a run has ended, an empty object is put whose name holds its
last record. Who resumes, joins or deletes the run deletes that object first: so a run
without one is read itself, and one with it needs no request of its own.
"""

import base64
from collections.abc import Iterable

from runnable.datastore.codec import DamagedLineError, decode, encode
from runnable.datastore.run_summary import RunSummary, summary_of
from runnable.journal import RunFinished, sums_up

FOLDER = ".summaries"
"""No run has such an id: it begins with a dot."""
_PART = 200
"""Characters between slashes; servers that keep objects in files allow 255."""
_LONGEST = 800
"""Characters; S3 allows 1,024 bytes for a name, with the id and the folders."""


def name_of(run_id: str, ended: RunFinished) -> str:
    """Return the name of the object for a run; empty if it would be too long.

    Args:
        run_id: The id of the run.
        ended: Its last record.

    Example:
        >>> ended = RunFinished("2026-01-31 10:00:01", "SUCCESS", {}, "2026-01-31")
        >>> name = name_of("r1", ended).removeprefix(".summaries/")
        >>> by_run([name])["r1"].status
        'SUCCESS'
    """
    text = base64.urlsafe_b64encode(encode(ended)).decode()
    parts = [text[start : start + _PART] for start in range(0, len(text), _PART)]
    name = "/".join([FOLDER, run_id, *parts])
    return name if sums_up(ended) and len(name.encode()) <= _LONGEST else ""


def by_run(names: Iterable[str]) -> dict[str, RunSummary]:
    """Return the summaries that names hold; none for a run that has two.

    Args:
        names: Relative to the folder.
    """
    found: dict[str, RunSummary] = {}
    twice: set[str] = set()
    for name in names:
        run_id, _, text = name.partition("/")
        try:
            last = decode(base64.urlsafe_b64decode(text.replace("/", "")))
            summary = summary_of(run_id, None, last)
        except (DamagedLineError, ValueError):
            continue  # not ours, or of another version: the run itself is read
        if run_id in found:
            twice.add(run_id)
        found[run_id] = summary
    return {run_id: it for run_id, it in found.items() if run_id not in twice}
