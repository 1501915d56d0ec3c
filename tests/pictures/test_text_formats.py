"""Mermaid and DOT: the same steps and edges; names are text."""

import re
import shutil
import subprocess

import pytest
from hypothesis import given
from random_pipelines import drawn_pipelines

from runnable import Map, Parallel, Pipeline, Stub


def test_mermaid_of_a_nested_pipeline():
    inner = Pipeline(steps=[Stub(name="fit"), Stub(name="score")])
    pipeline = Pipeline(
        steps=[
            Stub(name="load", on_failure=Stub(name="mend").as_pipeline()),
            Map(name="each", branch=inner, iterate_on="xs", iterate_as="x"),
            Parallel(name="both", branches={"a": inner}),
        ]
    )
    assert pipeline.to_mermaid().splitlines() == [
        "flowchart TD",
        '    n1["load"]',
        '    subgraph n2["each: for each x in xs"]',
        '        n3["fit"]',
        '        n4["score"]',
        "        n3 --> n4",
        "    end",
        '    subgraph n5["both: parallel"]',
        '        subgraph n6["a"]',
        '            n7["fit"]',
        '            n8["score"]',
        "            n7 --> n8",
        "        end",
        "    end",
        '    n9["mend"]',
        "    n1 --> n2",
        "    n1 -. on failure .-> n9",
        "    n2 --> n5",
    ]


@given(drawn_pipelines())
def test_numbers_are_unique_and_known(pipeline):
    text = pipeline.to_mermaid()
    defined = re.findall(r"^ *(?:subgraph )?(n\d+)\[", text, re.MULTILINE)
    assert len(defined) == len(set(defined))
    for source, target in re.findall(r"(n\d+) -.*-> ?(n\d+)$", text, re.MULTILINE):
        assert {source, target} <= set(defined)


def test_names_are_no_markup():
    pipeline = Pipeline(steps=[Stub(name='a"]; click n1 "javascript:alert(1)"')])
    line = pipeline.to_mermaid().splitlines()[1]
    assert line.count('"') == 2
    assert "#34;" in line
    assert r"a\"]; click" in pipeline.to_dot()


@pytest.mark.skipif(not shutil.which("dot"), reason="Graphviz is not installed")
@given(drawn_pipelines())
def test_graphviz_reads_it(pipeline):
    text = pipeline.to_dot()
    subprocess.run(["dot", "-Tcanon"], input=text.encode(), check=True, timeout=60)
