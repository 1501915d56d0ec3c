"""Graphs as text, runs compared, timelines."""

import pytest

from runnable import (
    Conditional,
    ExecutionFailedError,
    Loop,
    Map,
    Parallel,
    Pipeline,
    PythonTask,
    ShellTask,
    Stub,
    metric,
)
from runnable.report import as_page, as_text, compare, draw, error_of, timeline

IN_MEMORY = {"run_log_store": {"type": "memory"}, "catalog": {"type": "do-nothing"}}


def one(name, function, *returns, **more):
    return PythonTask(name=name, function=function, returns=list(returns), **more)


def load():
    return 1


def test_a_graph_of_every_kind():
    branch = Stub(name="s").as_pipeline()
    steps = [
        one("load", load, "n", on_failure=Stub(name="mend").as_pipeline()),
        Parallel(name="both", branches={"a": branch, "b": branch}),
        Map(name="each", branch=branch, iterate_on="xs", iterate_as="x"),
        Loop(
            name="again",
            branch=branch,
            max_iterations=3,
            break_on="done",
            index_as="i",
        ),
        Conditional(name="choose", parameter="n", branches={"1": branch}, default="1"),
        ShellTask(name="tell", command="echo   hi\nls"),
    ]
    drawn = draw(Pipeline(steps=steps, name="all").return_dag()).splitlines()
    assert drawn == [
        "all",
        f"├─ load  python {load.__module__}.load -> n; then both; on failure mend",
        "├─ mend  stub; then success",
        "├─ both  parallel",
        "│  ├─ a:",
        "│  │  └─ s  stub",
        "│  └─ b:",
        "│     └─ s  stub",
        "├─ each  map of xs as x",
        "│  └─ s  stub",
        "├─ again  loop until done, at most 3 times",
        "│  └─ s  stub",
        "├─ choose  conditional on n, else 1",
        "│  └─ 1:",
        "│     └─ s  stub",
        "└─ tell  shell echo hi ls",
    ]


def run(function, **parameters):
    pipeline = Pipeline(steps=[one("s", function, metric("score"))])
    try:
        return pipeline.execute(parameters=parameters, services=IN_MEMORY)
    except ExecutionFailedError as failed:
        return failed.run_log


def double(n):
    return 2 * n


def test_runs_are_compared():
    first, second = run(double, n=1), run(double, n=2)
    assert [tuple(it) for it in compare(first, second)] == [
        ("parameter n", 1, 2),
        ("metric score", 2, 4),
    ]
    assert compare(first, first) == []
    failed = run(lambda n: n / 0, n=1)
    differences = {it.what: it[1:] for it in compare(first, failed)}
    assert differences["status"] == ("SUCCESS", "FAIL")
    assert differences["step s"] == ("SUCCESS", "FAIL")
    assert differences["metric score"] == (2, "-")
    assert error_of(failed) == "s: ZeroDivisionError: division by zero"
    assert error_of(first) == ""


def test_a_timeline_is_to_scale():
    inner = Map(
        name="m",
        branch=one("leaf", lambda x: x, "y").as_pipeline(),
        iterate_on="xs",
        iterate_as="x",
    )
    run_log = Pipeline(steps=[one("a", load, "n"), inner]).execute(
        parameters={"xs": [1, 2]}, services=IN_MEMORY
    )
    drawn = timeline(run_log)
    assert [(bar.path, bar.depth) for bar in drawn.bars] == [
        ("a", 0),
        ("m", 0),
        ("m.1.leaf", 1),
        ("m.2.leaf", 1),
    ]
    first, whole, *leaves = drawn.bars
    assert first.starts == 0
    assert whole.starts == min(bar.starts for bar in leaves) >= first.seconds
    ends = [bar.starts + bar.seconds for bar in leaves]
    assert whole.starts + whole.seconds == pytest.approx(max(ends))
    assert drawn.seconds == pytest.approx(max(ends))
    lines = as_text(drawn).splitlines()
    assert len(lines) == 5 + len(drawn.ran_with)
    assert lines[-2].startswith("  1: leaf")
    page = as_page(drawn)
    assert page.count("<details") == 5
    assert "<td>n</td><td>1</td>" in page
