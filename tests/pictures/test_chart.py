"""Charts: the steps of a pipeline, from its description alone."""

import json

from runnable import Conditional, Loop, Map, Parallel, Pipeline, PythonTask, Stub
from runnable.pictures import Edge, chart_of, status_of


def branch(name):
    return Stub(name=name).as_pipeline()


def use(x):
    return x, x


def chart(*steps, counts=None):
    described = Pipeline(steps=list(steps), name="daily").return_dag().described
    return chart_of(json.loads(json.dumps(described)), counts)


def test_steps_in_their_order_and_what_follows_them():
    step = Stub(name="b", on_failure=branch("mend"))
    drawn = chart(Stub(name="a"), step, Stub(name="c"))
    assert drawn.name == "daily"
    assert [it.name for it in drawn.steps] == ["a", "b", "c", "mend"]
    assert drawn.main == 3
    assert Edge("a", "b") in drawn.edges
    assert Edge("b", "mend", "failure") in drawn.edges
    assert Edge("c", "success") in drawn.edges


def test_every_kind_says_what_it_does():
    drawn = chart(
        PythonTask(name="t", function=use, returns=["y", "z"]),
        Map(name="m", branch=branch("s"), iterate_on="xs", iterate_as="x"),
        Loop(
            name="l",
            branch=PythonTask(
                name="s", function=use, returns=["y", "end"]
            ).as_pipeline(),
            max_iterations=3,
            break_on="end",
            index_as="n",
        ),
        Conditional(name="c", parameter="k", branches={"a": branch("s")}, default="a"),
        Parallel(name="p", branches={"a": branch("s"), "b": branch("s")}),
    )
    task, mapped, loop, conditional, parallel = drawn.steps
    assert task.text.startswith("python: ")
    assert task.returned == ("y", "z")
    assert mapped.text == "for each x in xs"
    assert mapped.given == ("xs",)
    assert loop.text == "until end, at most 3 times"
    assert conditional.text == "by k, else a"
    assert [it.label for it in parallel.branches] == ["a", "b"]
    assert mapped.branches[0].chart.steps[0].path == "m.*.s"
    assert loop.branches[0].chart.steps[0].path == "l.*.s"
    assert parallel.branches[1].chart.steps[0].path == "p.b.s"


def test_the_items_of_a_map_are_counted():
    def fail_twice(x):
        if x < 2:
            raise ValueError(x)

    task = PythonTask(name="s", function=fail_twice, on_failure=branch("mend"))
    pipeline = Pipeline(
        steps=[
            Map(name="m", branch=task.as_pipeline(), iterate_on="xs", iterate_as="x")
        ]
    )
    services = {"run_log_store": {"type": "memory"}, "catalog": {"type": "do-nothing"}}
    run_log = pipeline.execute(parameters={"xs": list(range(5))}, services=services)
    counts = run_log.counts()
    assert counts["m"] == {"SUCCESS": 1}
    assert counts["m.*.s"] == {"FAIL": 2, "SUCCESS": 3}
    assert counts["m.*.mend"] == {"SUCCESS": 2}
    drawn = chart_of(run_log.run_config["dag"], counts)
    inner = drawn.steps[0].branches[0].chart
    assert {it.name: it.counts for it in inner.steps} == {
        "s": {"FAIL": 2, "SUCCESS": 3},
        "mend": {"SUCCESS": 2},
    }
    assert "2 failed, 3 succeeded" in run_log.to_svg()
    assert run_log.to_svg() in run_log._repr_html_()


def test_the_status_of_several_is_the_worst():
    assert status_of({"SUCCESS": 9, "FAIL": 1}) == "FAIL"
    assert status_of({"SUCCESS": 9, "PROCESSING": 1}) == "PROCESSING"
    assert status_of({}) == ""
