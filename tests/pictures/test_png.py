"""PNG, by the extra `png`."""

import sys

import pytest

from runnable import Pipeline, Stub
from runnable.exceptions import ConfigurationError
from runnable.pictures import chart_of
from runnable.pictures.png import as_png

CHART = chart_of(Pipeline(steps=[Stub(name="load")]).return_dag().described)


def has_fonts():
    try:
        as_png(CHART)
    except ConfigurationError:
        return False
    return True


@pytest.mark.skipif(not has_fonts(), reason="no fonts are installed")
def test_an_image():
    small, large = as_png(CHART, zoom=1.0), as_png(CHART, zoom=3.0)
    assert small.startswith(b"\x89PNG")
    width = int.from_bytes(small[16:20], "big")
    assert int.from_bytes(large[16:20], "big") == 3 * width


def test_without_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "resvg_py", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'runnable\[png\]'"):
        as_png(CHART)
