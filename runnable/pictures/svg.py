"""Charts as SVG: for notebooks, pages, documents and files."""

import re
from collections.abc import Iterator, Mapping
from html import escape

from runnable.pictures.chart import Chart, Step, status_of, status_text
from runnable.pictures.layout import (
    Box,
    Layout,
    PlacedEdge,
    PlacedLabel,
    PlacedStep,
    lay_out,
    width_of,
)

_MARGIN = 12.0
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")

FONTS = (
    "system-ui,'DejaVu Sans','Liberation Sans','Noto Sans',Roboto,Ubuntu,"
    "'Segoe UI',Helvetica,Arial,sans-serif"
)
"""By name, since not every program knows what `sans-serif` is."""

STYLE = f"""
.rn-chart{{max-width:100%;height:auto}}
.rn-chart text{{font-family:{FONTS};font-size:12px}}
.rn-chart .box{{fill:#fff;stroke:#6b7280}}
.rn-chart .frame{{fill:#6b728012;stroke:#9ca3af}}
.rn-chart .branch{{fill:none;stroke:#9ca3af;stroke-dasharray:2 3}}
.rn-chart text{{fill:#111827}}
.rn-chart text.small{{fill:#4b5563;font-size:10px}}
.rn-chart .edge{{fill:none;stroke:#6b7280}}
.rn-chart .failure{{stroke:#b91c1c;stroke-dasharray:4 3}}
.rn-chart .head{{fill:#6b7280}}
.rn-chart .failure-head{{fill:#b91c1c}}
.rn-chart .success{{stroke:#15803d;stroke-width:2;fill:#dcfce7}}
.rn-chart .fail{{stroke:#b91c1c;stroke-width:2;fill:#fee2e2}}
.rn-chart .cancelled{{stroke:#b45309;stroke-width:2;fill:#fef3c7}}
.rn-chart .processing{{stroke:#1d4ed8;stroke-width:2;fill:#dbeafe}}
.rn-chart .waiting{{stroke-dasharray:3 3}}
@media(prefers-color-scheme:dark){{
.rn-chart .box{{fill:#1f2937;stroke:#9ca3af}}
.rn-chart text{{fill:#f3f4f6}}
.rn-chart text.small{{fill:#d1d5db}}
.rn-chart .success{{fill:#14532d}}
.rn-chart .fail{{fill:#7f1d1d}}
.rn-chart .cancelled{{fill:#78350f}}
.rn-chart .processing{{fill:#1e3a8a}}
}}
""".strip()
"""The style sheet of every picture; the same text each time."""


def as_svg(chart: Chart, *, parameters: bool = False) -> str:
    """Draw a chart.

    Args:
        chart: The chart; with the statuses of a run, each step has its colour.
        parameters: Whether steps show which parameters they set.

    Returns:
        An SVG document, which needs nothing else.

    Example:
        >>> from runnable.pictures import chart_of
        >>> node = {"node_type": "stub", "name": "s", "next_node": "success"}
        >>> as_svg(chart_of({"start_at": "s", "nodes": {"s": node}}))[:4]
        '<svg'
    """
    layout = lay_out(chart)
    width, height = layout.width + 2 * _MARGIN, layout.height + 2 * _MARGIN
    title = _text(chart.name or "pipeline")
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="rn-chart" role="img" '
        f'aria-label="{title}" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="{-_MARGIN:.0f} {-_MARGIN:.0f} {width:.0f} {height:.0f}">'
        f"<title>{title}</title><style>{STYLE}</style>"
    )
    return "".join([head, *_content(layout, parameters=parameters), "</svg>"])


def _content(layout: Layout, *, parameters: bool) -> Iterator[str]:
    for placed in layout.steps:
        yield _step(placed, parameters=parameters)
    for label in layout.labels:
        yield _label(label)
    for edge in layout.edges:
        yield _edge(edge)


def _step(placed: PlacedStep, *, parameters: bool) -> str:
    step, box = placed
    shown = step.text
    if parameters and step.returned:
        shown = f"→ {', '.join(step.returned)}"
    told = status_text(step.counts)
    title = "\n".join(filter(None, [step.name, step.text, told]))
    inside = box._replace(x=box.x + 1, width=box.width - 2)
    return "".join([
        f"<g><title>{_text(title)}</title>",
        _rect(box, f"{'frame' if step.branches else 'box'}{_status(step)}"),
        _line(step.name, inside, 17),
        _line(_counted(step.counts) or shown, inside, 31, "small"),
        "</g>",
    ])


def _status(step: Step) -> str:
    if step.counts is None:
        return ""
    return f" {status_of(step.counts).lower() or 'waiting'}"


def _counted(counts: Mapping[str, int] | None) -> str:
    return status_text(counts) if counts and sum(counts.values()) > 1 else ""


def _label(label: PlacedLabel) -> str:
    return _rect(label.box, "branch") + _line(label.text, label.box, 14, "small")


def _rect(box: Box, name: str) -> str:
    return (
        f'<rect class="{name}" x="{box.x:.1f}" y="{box.y:.1f}" '
        f'width="{box.width:.1f}" height="{box.height:.1f}" rx="5"/>'
    )


def _line(text: str, box: Box, down: float, name: str = "") -> str:
    x, y = box.x + box.width / 2, box.y + down
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="middle"'
    if name:
        place += f' class="{name}"'
    fitting = _fitting(text, box.width - 10, 0.85 if name else 1.0)
    return f"<text {place}>{_text(fitting)}</text>"


def _fitting(text: str, width: float, scale: float) -> str:
    """Cut a text to a width; the whole of it is in the title."""
    if width_of(text) * scale <= width:
        return text
    while text and width_of(f"{text}…") * scale > width:
        text = text[:-1]
    return f"{text}…"


def _edge(placed: PlacedEdge) -> str:
    failed = placed.edge.kind == "failure"
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in placed.points)
    (x1, y1), (x2, y2) = placed.points[-2:]
    head = _head(x1, y1, x2, y2)
    told = f"{placed.edge.source} → {placed.edge.target}"
    told += " if it fails" if failed else ""
    return (
        f"<g><title>{_text(told)}</title>"
        f'<polyline class="edge{" failure" if failed else ""}" points="{line}"/>'
        f'<polygon class="{"failure-head" if failed else "head"}" points="{head}"/></g>'
    )


def _head(x1: float, y1: float, x2: float, y2: float) -> str:
    """Return the corners of an arrow's head; lines are upright or level."""
    if abs(x1 - x2) < 1:
        back = y2 - 7 if y2 > y1 else y2 + 7
        corners = [(x2, y2), (x2 - 4, back), (x2 + 4, back)]
    else:
        back = x2 - 7 if x2 > x1 else x2 + 7
        corners = [(x2, y2), (back, y2 - 4), (back, y2 + 4)]
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in corners)


def _text(text: str) -> str:
    return escape(_UNPRINTABLE.sub("\ufffd", text))
