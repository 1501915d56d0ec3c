"""The one pipeline that every executor runs: all kinds of nodes, nested, and all that
steps hand on to each other. `build` makes it; its tasks are functions of this module.
"""

import os
import sys
import time
from pathlib import Path

from pydantic import BaseModel

from runnable import (
    Catalog,
    Conditional,
    Loop,
    Map,
    Parallel,
    Pipeline,
    PythonTask,
    ShellTask,
    Stub,
    metric,
    pickled,
)

SECRET = "ONE_PIPELINE_TOKEN"
HOSTILE = (
    "quotes ' \" ` ; & | $(id) $$ $HOME {{workflow.name}} {{=1}} }} %s \\n \\ é ☃ 𝄞\n"
    "--option=x\ttab\r\n# comment"
)
PARAMETERS = {
    "hostile": HOSTILE,
    "dashes": "--help",
    "number_text": "1",
    "big": "x{{" * 33_000,
    "many": {"{{a}}": [1, 2.5, None, "$(b)"], "c": {"d": True}},
    "hold": "",
}


class Model(BaseModel):
    """A model that a step returns, and another one takes."""

    name: str
    rates: list[float]


class Thing:
    """An object that is no JSON."""

    def __init__(self, text: str) -> None:
        self.text = text


def prepare(hostile: str, dashes: str, number_text: str, big: str, many: dict):
    print("prepared", len(hostile), dashes, number_text, len(big))
    print("said on standard error", file=sys.stderr)
    Path("made.txt").write_bytes(hostile.encode())
    items = ["--a.b/c", 1, {"k": "it's {{item}} $(x)"}]
    model = Model(name=hostile, rates=[0.1, 0.2])
    return items, model, Thing(hostile), 0.75, "right"


def flaky():
    attempt = int(os.environ["RUNNABLE_STEP_ATTEMPT"])
    if attempt < 3:
        raise RuntimeError(f"attempt {attempt}")
    return attempt


def hold(hold: str):
    """Wait in here until somebody ends this process, if a file says so."""
    if hold and not Path(hold).exists():
        Path(hold).write_text(str(os.getpid()))
        time.sleep(120)


def told_secret():
    print("the secret is", os.environ[SECRET])
    return len(os.environ[SECRET])


def item_of(item):
    print("item", item)
    return repr(item)


def left(shown: str):
    return f"left of {shown}"


def right(shown: str, choice: str):
    return f"{choice} of {shown}"


def wrong():
    raise ValueError("there is no such branch")


def more(turn: int, shown: str):
    print("turn", turn, shown)
    return turn >= 1, f"turn {turn}"


def failing(hostile: str):
    raise ValueError(f"it fails with {hostile[:6]}")


def recover():
    return "recovered"


def read_file():
    return Path("made.txt").read_bytes().decode()


def finish(model: Model, thing: Thing, read: str, hostile: str, shown: list, rest: str):
    assert model.name == thing.text == read == hostile
    return {"shown": shown, "rest": rest, "rates": model.rates}


def one(name: str, function, *returns, **more):
    return PythonTask(name=name, function=function, returns=list(returns), **more)


def inside() -> Pipeline:
    """The branch of the map, with steps of every kind."""
    choose = Conditional(
        name="choose",
        parameter="choice",
        branches={
            "right": one("right", right, "r").as_pipeline(),
            "it's {wrong}": one("wrong", wrong).as_pipeline(),
        },
    )
    both = Parallel(
        name="both",
        branches={
            "left": one("left", left, "l").as_pipeline(),
            "choose (it)": Pipeline(steps=[choose]),
        },
    )
    turns = Loop(
        name="turns",
        branch=one("more", more, "done", "said").as_pipeline(),
        max_iterations=3,
        break_on="done",
        index_as="turn",
    )
    return Pipeline(steps=[one("Show it", item_of, "shown"), both, turns])


def build() -> Pipeline:
    """Make the pipeline."""
    files = {"workspace": "isolated"}
    fails = one("fails", failing)
    fails.on_failure = Pipeline(steps=[one("recover", recover, "rest"), after()])
    return Pipeline(
        steps=[
            one(
                "prepare",
                prepare,
                "items",
                "model",
                pickled("thing"),
                metric("score"),
                "choice",
                catalog=Catalog(put=["made.txt"]),
                **files,
            ),
            one("flaky", flaky, "attempts", retries=2),
            one("tell", told_secret, "length", secrets=[SECRET]),
            ShellTask(
                name="shell",
                command="export shout=loud; echo $shout",
                returns=["shout"],
            ),
            Stub(name="nothing"),
            Map(name="m", branch=inside(), iterate_on="items", iterate_as="item"),
            one("hold", hold),
            one("read", read_file, "read", catalog=Catalog(get=["made.txt"]), **files),
            fails,
        ],
        name="one",
        reference="tests.support.one_pipeline:build",
    )


def after() -> PythonTask:
    return one("finish", finish, "result")


if __name__ == "__main__":
    build().execute(parameters=PARAMETERS)
