"""SVG: well-formed whatever the names are, with the statuses of a run."""

import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_pipelines import drawn_pipelines

from runnable import Map, Pipeline, PythonTask, Stub
from runnable.pictures import as_svg, chart_of

HOSTILE = [
    "<script>alert(1)</script>",
    '"onload="alert(1)',
    "]]><svg onload=alert(1)>",
    "a & b",
    "\x1b[31mred",
    "\ud800",
    "</title><script>",
    "日本語" * 30,
]


def parsed(svg):
    return ET.fromstring(svg)  # noqa: S314 - made here


def drawn(name):
    described = Pipeline(steps=[Stub(name="s")], name="p").return_dag().described
    described["nodes"]["s"] |= {"name": name}
    described["nodes"][name] = described["nodes"].pop("s")
    return as_svg(chart_of({**described, "start_at": name, "name": name}))


@pytest.mark.parametrize("name", HOSTILE)
def test_names_are_text(name):
    root = parsed(drawn(name))
    tags = {it.tag.rpartition("}")[2] for it in root.iter()}
    assert tags <= {"svg", "title", "style", "g", "rect", "text"}
    for element in root.iter():
        assert not [it for it in element.attrib if it.startswith("on")]


@given(st.text(min_size=1))
def test_any_text_is_well_formed(name):
    parsed(drawn(name))


@given(drawn_pipelines())
def test_every_pipeline_is_drawn(pipeline):
    root = parsed(pipeline.to_svg())
    assert root.attrib["role"] == "img"
    assert pipeline._repr_html_() == pipeline.to_svg()
    titles = sum(1 for _ in root.iter("{http://www.w3.org/2000/svg}title"))
    assert titles > len(pipeline.steps)


def test_statuses_have_colours():
    branch = Stub(name="s").as_pipeline()
    pipeline = Pipeline(
        steps=[Map(name="m", branch=branch, iterate_on="xs", iterate_as="x")]
    )
    counts = {"m": {"PROCESSING": 1}, "m.*.s": {"FAIL": 1, "SUCCESS": 980}}
    chart = chart_of(pipeline.return_dag().described, counts)
    svg = as_svg(chart)
    assert 'class="frame processing"' in svg
    assert 'class="box fail"' in svg
    assert "1 failed, 980 succeeded" in svg
    nothing = as_svg(chart_of(pipeline.return_dag().described, {}))
    assert 'class="box waiting"' in nothing
    assert "not run" in nothing


def test_parameters_are_shown_on_demand():
    task = PythonTask(name="t", function=lambda: 1, returns=["total"])
    pipeline = Pipeline(steps=[task])
    assert "total" in pipeline.to_svg(parameters=True)
    assert "total" not in pipeline.to_svg()
