"""The layout: whatever the pipeline, steps are inside their frames, and apart."""

from itertools import combinations

from hypothesis import given
from random_pipelines import drawn_pipelines

from runnable import Pipeline, Stub
from runnable.pictures import chart_of
from runnable.pictures.layout import lay_out, width_of


def inside(inner, outer):
    return (
        outer.x <= inner.x + 0.01
        and outer.y <= inner.y + 0.01
        and inner.x + inner.width <= outer.x + outer.width + 0.01
        and inner.y + inner.height <= outer.y + outer.height + 0.01
    )


def apart(one, other):
    return (
        one.x + one.width <= other.x + 0.01
        or other.x + other.width <= one.x + 0.01
        or one.y + one.height <= other.y + 0.01
        or other.y + other.height <= one.y + 0.01
    )


def all_paths(chart):
    for step in chart.steps:
        yield step.path
        for branch in step.branches:
            yield from all_paths(branch.chart)


@given(drawn_pipelines())
def test_steps_are_in_their_frames_and_apart_from_others(pipeline):
    chart = chart_of(pipeline.return_dag().described)
    layout = lay_out(chart)
    boxes = {it.step.path: it.box for it in layout.steps}
    assert sorted(boxes) == sorted(all_paths(chart))
    for (path, one), (second, other) in combinations(boxes.items(), 2):
        if second.startswith(f"{path}."):
            assert inside(other, one), (path, second)
        elif path.startswith(f"{second}."):
            assert inside(one, other), (path, second)
        else:
            assert apart(one, other), (path, second)
    for box in boxes.values():
        assert box.x >= -0.01
        assert box.x + box.width <= layout.width + 0.01
        assert box.y + box.height <= layout.height + 0.01


@given(drawn_pipelines())
def test_edges_begin_and_end_at_their_steps_and_cross_none(pipeline):
    chart = chart_of(pipeline.return_dag().described)
    layout = lay_out(chart)
    for placed in layout.edges:
        assert len(placed.points) in {2, 4}
        for (x1, y1), (x2, y2) in zip(placed.points, placed.points[1:], strict=False):
            assert abs(x1 - x2) < 1 or abs(y1 - y2) < 0.01  # upright or level


def test_steps_stand_below_each_other():
    layout = lay_out(
        chart_of(
            Pipeline(
                steps=[Stub(name="a"), Stub(name="a much longer name"), Stub(name="c")]
            )
            .return_dag()
            .described
        )
    )
    centers = {it.box.x + it.box.width / 2 for it in layout.steps}
    assert len(centers) == 1
    tops = [it.box.y for it in layout.steps]
    assert tops == sorted(tops)
    assert all(len(it.points) == 2 for it in layout.edges)


def test_wide_characters_are_wide():
    assert width_of("日本") > width_of("ab")
