"""Progress in a Jupyter notebook: a table below the cell, drawn again and again."""

from collections.abc import Sequence
from html import escape
from importlib import import_module
from typing import Protocol

from runnable import defaults
from runnable.progress.run_progress import WAITING, Row, RunProgress
from runnable.progress.texts import end_text, mark_of, seconds_text

_MOST_ROWS = 30
_COLOURS = {
    "": "#0969da",
    WAITING: "#6e7781",
    defaults.SUCCESS: "#1a7f37",
    defaults.FAIL: "#cf222e",
    defaults.CANCELLED: "#9a6700",
}


class _Handle(Protocol):
    def update(self, drawn: object) -> None:
        """Draw something instead."""


class _Drawn:
    """A display for IPython: HTML where there is a page, else text."""

    def __init__(self, html: str, text: str) -> None:
        self._html = html
        self._text = text

    def _repr_html_(self) -> str:
        return self._html

    def __repr__(self) -> str:
        return self._text


class Notebook:
    """The output of a cell, while runs are shown there."""

    seconds_between = 0.5
    """How often it is drawn."""

    def __init__(self) -> None:
        self._handle: _Handle | None = None
        self._ended: list[RunProgress] = []

    def open(self) -> None:
        """Begin to draw."""
        show = import_module("IPython.display").display
        self._handle = show(_Drawn("", ""), display_id=True)

    def draw(self, runs: Sequence[RunProgress]) -> None:
        """Draw the progress of some runs, and of those that ended meanwhile."""
        shown = [*self._ended, *runs]
        html = "".join(map(_html, shown))
        if self._handle is not None:
            self._handle.update(_Drawn(html, "\n".join(map(end_text, shown))))

    def end(self, run: RunProgress) -> None:
        """Keep a run that has ended on the page."""
        self._ended.append(run)

    def close(self) -> None:
        """Leave what was drawn last."""
        self.draw([])


def _html(run: RunProgress) -> str:
    rows = "".join(map(_row, run.rows(_MOST_ROWS)))
    head = escape(f"{run.title}: {run.status or 'running'}")
    return (
        f"<div><b>{head}</b> {seconds_text(run.seconds)}"
        f'<table style="margin:0 0 1em">{rows}</table></div>'
    )


def _row(row: Row) -> str:
    colour = _COLOURS.get(row.status, "inherit")
    status = escape(row.status or "running")
    mark = f'<span style="color:{colour}" title="{status}">{mark_of(row.status)}</span>'
    name = f'<span style="padding-left:{row.depth}em">{escape(row.name)}</span>'
    seconds = "" if row.seconds is None else seconds_text(row.seconds)
    cells = (mark, name, escape(row.detail), seconds)
    return "".join([
        "<tr>",
        *(f'<td style="text-align:left">{it}</td>' for it in cells),
        "</tr>",
    ])
