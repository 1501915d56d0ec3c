"""Charts as PNG; the extra `png` has what it needs."""

from typing import Protocol, cast

from runnable.errors import ConfigurationError
from runnable.pictures.chart import Chart
from runnable.pictures.svg import FONTS, as_svg

_LETTER = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9">'
    f'<text y="9" font-family="{FONTS}">%s</text></svg>'
)


class _Draw(Protocol):
    def __call__(
        self, *, svg_string: str, zoom: float, background: str
    ) -> "list[int] | bytes": ...


def as_png(chart: Chart, *, parameters: bool = False, zoom: float = 2.0) -> bytes:
    """Draw a chart as an image.

    Args:
        chart: The chart.
        parameters: Whether steps show which parameters they set.
        zoom: Pixels of the image for each of the SVG.

    Returns:
        The content of a PNG file.

    Raises:
        ConfigurationError: If the extra `png` is not installed, or no fonts are.
    """
    try:
        import resvg_py  # pyright: ignore[reportMissingModuleSource]  # compiled
    except ImportError:
        problem = "a PNG needs an extra: pip install 'runnable[png]'"
        raise ConfigurationError(problem) from None
    draw = cast("_Draw", resvg_py.svg_to_bytes)

    def drawn(svg: str, zoom: float) -> bytes:
        return bytes(draw(svg_string=svg, zoom=zoom, background="white"))

    if drawn(_LETTER % "W", 1.0) == drawn(_LETTER % "", 1.0):
        problem = "no fonts are installed, so a PNG would have no text; draw an SVG"
        raise ConfigurationError(problem)
    return drawn(as_svg(chart, parameters=parameters), zoom)
