"""Random pipelines, and run logs made comparable; for the tests of the engine."""

import zlib

from hypothesis import strategies as st

from runnable import Conditional, Loop, Map, Parallel, Pipeline, PythonTask, Stub

PARAMETERS = {"items": [3, 1, 3], "choice": "b1", "v0": 7}


def task(number, fails):
    def function(**visible):
        if fails:
            raise ValueError(f"task {number}")
        # Whatever is visible here must be the same, however branches overlap.
        return zlib.crc32(repr(sorted(visible.items())).encode())

    return PythonTask(name=f"t{number}", function=function, returns=[f"v{number % 3}"])


class Builder:
    """Turns what hypothesis draws into pipelines with unique names of steps."""

    def __init__(self):
        self.number = 0

    def task(self, number, fails):
        return task(number, fails)

    def pipeline(self, drawn):
        return Pipeline(steps=[self.step(*node) for node in drawn])

    def step(self, kind, content, handler):
        self.number += 1
        number = self.number
        name = f"{kind}{number}"
        match kind:
            case "task":
                step = self.task(number, content)
            case "stub":
                step = Stub(name=name)
            case "parallel":
                branches = {
                    f"b{at}": self.pipeline(it) for at, it in enumerate(content)
                }
                step = Parallel(name=name, branches=branches)
            case "conditional":
                branches = {
                    f"b{at}": self.pipeline(it) for at, it in enumerate(content)
                }
                step = Conditional(
                    name=name, parameter="choice", branches=branches, default="b0"
                )
            case "map":
                branch = self.pipeline(content)
                step = Map(
                    name=name, branch=branch, iterate_on="items", iterate_as="item"
                )
            case "loop":
                branch = self.pipeline(content)
                step = Loop(
                    name=name,
                    branch=Pipeline(steps=[*branch.steps, self.counter()]),
                    max_iterations=3,
                    break_on="done",
                    index_as="index",
                )
        if handler is not None:
            step.on_failure = self.pipeline(handler)
        return step

    def counter(self):
        self.number += 1
        return PythonTask(
            name=f"count{self.number}",
            function=lambda index: index >= 1,
            returns=["done"],
        )


def _nodes(pipelines):
    branches = st.lists(pipelines, min_size=1, max_size=3)
    return st.one_of(
        st.tuples(st.just("task"), st.booleans()),
        st.tuples(st.just("task"), st.just(False)),
        st.tuples(st.sampled_from(["parallel", "conditional"]), branches),
        st.tuples(st.sampled_from(["map", "loop"]), pipelines),
    )


def drawn_pipelines():
    """Pipelines of up to three steps, nested up to three times, with failure paths."""
    return drawn_nodes().map(lambda drawn: Builder().pipeline(drawn))


def drawn_nodes():
    """Descriptions of such pipelines, for a `Builder`."""
    leaf = st.tuples(
        st.sampled_from(["task", "task", "stub"]), st.sampled_from([False, False, True])
    )
    level = st.lists(st.tuples(leaf, st.none()), min_size=1, max_size=2)
    for _ in range(2):
        nodes = st.one_of(leaf, _nodes(level.map(_flat)))
        handlers = st.one_of(st.none(), st.none(), level.map(_flat))
        level = st.lists(st.tuples(nodes, handlers), min_size=1, max_size=3)
    return level.map(_flat)


def _flat(drawn):
    return [node if len(node) == 3 else (*node[0], node[1]) for node in drawn]


def comparable(run_log):
    """What a run log says, without time, order and how the run was executed."""
    content = run_log.model_dump()
    for key in ("run_id", "run_config"):
        del content[key]
    return _without_time(content)


TIMES = {"start_time", "end_time", "traceback", "code_identities"}


def _without_time(value):
    if isinstance(value, dict):
        return {key: _without_time(it) for key, it in value.items() if key not in TIMES}
    return [_without_time(it) for it in value] if isinstance(value, list) else value
