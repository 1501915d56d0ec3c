"""The timeline of a run as an HTML page that needs nothing else."""

import base64
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import PurePath
from typing import NamedTuple

from runnable import defaults
from runnable.errors import StoreError
from runnable.report.summary import shown_metric
from runnable.report.time_scale import duration_text
from runnable.report.timeline import Bar, Timeline
from runnable.system.plain_text import plain

_IMAGES = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".gif": "gif"}
_MOST_IMAGE_BYTES = 500_000
_MOST_PAGE_BYTES = 4_000_000
"""Of logs and pictures in one page; what is more is left out, and it says so."""
_MOST_LOG = 20_000
_MOST_GRAPH = 300_000
"""Characters of the picture of the pipeline: of about 300 steps."""
_MOST_FAILURES = 10


class Log(NamedTuple):
    """What one attempt has printed."""

    attempt: int
    text: str


class Picture(NamedTuple):
    """A picture that a step has put into the catalog."""

    name: str
    source: str
    """A data URL."""


class _Kept:
    """Reads what the catalog has of a run, as long as the page has room for it."""

    def __init__(self, drawn: Timeline) -> None:
        self._run_log = drawn.run_log
        self._room = _MOST_PAGE_BYTES
        self.left_out = 0
        """How many logs and pictures had no room."""

    def logs(self, bar: Bar) -> list[Log]:
        """Return what the attempts of a step have printed, the last part of each."""
        found: list[Log] = []
        for span in bar.spans:
            text = self._log(bar.path, span.number)
            if text and self._takes(min(len(text), _MOST_LOG)):
                cut = f"[{len(text) - _MOST_LOG:,} characters before this]\n"
                shown = text if len(text) <= _MOST_LOG else cut + text[-_MOST_LOG:]
                found.append(Log(span.number, shown))
        return found

    def _log(self, path: str, attempt: int) -> str:
        try:
            return self._run_log.execution_log(path, attempt)
        except (StoreError, OSError):
            return ""  # of a run log in a file, or the catalog is gone

    def pictures(self) -> dict[str, list[Picture]]:
        """Return the pictures that there are, by the path of the step."""
        found: dict[str, list[Picture]] = {}
        for file in self._run_log.files():
            kind = _IMAGES.get(PurePath(file.name).suffix.lower())
            if kind is None or file.kind != "file":
                continue
            try:
                with file.open() as opened:
                    content = opened.read(_MOST_IMAGE_BYTES + 1)
            except (StoreError, OSError):
                continue
            if len(content) > _MOST_IMAGE_BYTES:
                self.left_out += 1
            elif self._takes(len(content)):
                encoded = base64.b64encode(content).decode()
                picture = Picture(file.name, f"data:image/{kind};base64,{encoded}")
                found.setdefault(file.step, []).append(picture)
        return found

    def _takes(self, size: int) -> bool:
        if size > self._room:
            self.left_out += 1
            return False
        self._room -= size
        return True


def as_page(drawn: Timeline) -> str:
    """Draw a timeline as an HTML page that needs nothing else.

    Args:
        drawn: The timeline.

    Returns:
        The page; whatever names and values hold is shown as text.
    """
    from jinja2 import Environment  # only who wants a page pays

    template = files("runnable.report").joinpath("timeline.html").read_text("utf-8")
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    kept = _Kept(drawn)
    pictures = kept.pictures()
    steps = [bar for bar in drawn.bars if bar.spans]
    failures = list(_failures(drawn))
    graph = drawn.run_log.to_svg()
    return environment.from_string(template).render(
        run=drawn,
        good=drawn.statuses.get(defaults.SUCCESS, 0),
        ran=sum(drawn.statuses.values()),
        metrics=_shown(drawn.run_log.metrics),
        parameters=_shown({k: it.value for k, it in drawn.run_log.parameters.items()}),
        slowest=max(steps, key=lambda bar: bar.worked, default=None),
        failures=failures[:_MOST_FAILURES],
        more_failures=len(failures) - _MOST_FAILURES,
        took=duration_text(drawn.seconds),
        duration=duration_text,
        percent=_percent,
        plain=plain,
        logs=kept.logs,
        pictures=pictures,
        kept=kept,
        graph=graph if len(graph) <= _MOST_GRAPH else "",
    )


def _failures(drawn: Timeline) -> Iterator[Bar]:
    """Yield the steps that have failed by themselves, not by what is inside."""
    for bar in drawn.bars:
        has_cause = any(it.status == defaults.FAIL for it in bar.inside)
        if bar.status == defaults.FAIL and bar.message and not has_cause:
            yield bar


def _percent(part: float) -> str:
    return f"{100 * part:.3f}%"


def _shown(values: Mapping[str, object]) -> dict[str, str]:
    return {name: shown_metric(it)[:200] for name, it in values.items()}
