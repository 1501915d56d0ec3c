"""`runnable check` finds whatever can be known before a run starts."""

import json
from pathlib import Path

import pytest
from command_line import runnable

SCRIPT = """
import datetime
from pydantic import BaseModel
from runnable import *

class Model(BaseModel):
    rows: int
    name: str

def use(n: int): pass
def say(text: str, when: datetime.date = None): pass
def fit(model: Model): pass
def several(settings: Model): pass
def make(): return 1, 2
def item(x: int, n: int = 0): return x
"""


def check(body, **parameters):
    Path("p.yaml").write_text(json.dumps(parameters))
    Path("script.py").write_text(SCRIPT + body)
    return runnable("check", "script.py", "-p", "p.yaml")


def task(name, function, **more):
    settings = "".join(f", {key}={value}" for key, value in more.items())
    return f"PythonTask(name={name!r}, function={function}{settings})"


def run(*steps):
    return f"Pipeline(steps=[{', '.join(steps)}]).execute()"


MAP = f"Map(name='m', iterate_on='xs', iterate_as='x', branch={task('i', 'item')}.as_pipeline())"
CHOICE = (
    "Conditional(name='c', parameter='kind', branches={'head': "
    "Stub(name='s').as_pipeline()})"
)

CHOICES = (
    "Conditional(name='c', parameter='kind', branches={"
    f"'head': {task('u', 'use')}.as_pipeline(), 'tail': Stub(name='s').as_pipeline()}})"
)


@pytest.mark.parametrize(
    ("body", "parameters", "problem"),
    [
        (
            run(task("s", "use")),
            {"n": "many"},
            "step 's': __main__.use() cannot be given parameter 'n'",
        ),
        (run(task("s", "use")), {"n": [1]}, "parameter 'n'"),
        (run(task("s", "say")), {"text": "a", "when": "soon"}, "parameter 'when'"),
        (run(task("s", "fit")), {"model": {"rows": "x", "name": "n"}}, "rows"),
        (run(task("s", "several")), {"rows": "x", "name": "n"}, "rows"),
        (run(task("s", "use")), {}, "needs parameter 'n'"),
        (run(MAP), {"xs": 5}, "step 'm'"),
        (run(MAP), {"xs": 5}, "a map needs a list to iterate on"),
        (run(MAP), {"xs": [1, "two"]}, "'two'"),
        (run(MAP), {"xs": [1], "n": "many"}, "parameter 'n'"),
        (run(CHOICE), {"kind": "hed"}, "Did you mean 'head'?"),
        (run(task("s", "make", secrets=["TOKEN"])), {}, "step 's': There is no secret"),
        (
            run(task("s", "make", catalog="Catalog(get=['a.csv'])")),
            {},
            "step 's' gets 'a.csv' from the catalog, and no step puts such a file",
        ),
        (
            run(
                task("p", "make", catalog="Catalog(put=['b.csv', 'out/*'])"),
                task("g", "make", catalog="Catalog(get=['*.txt'])"),
            ),
            {},
            "they put 'b.csv', 'out/*'",
        ),
        (
            run("ShellTask(name='s', command='echo $text')"),
            {"text": "x" * 200_000},
            "step 's'",
        ),
        ("PythonJob(function=use).execute()", {"n": "many"}, "parameter 'n'"),
    ],
)
def test_what_is_wrong_is_found(body, parameters, problem):
    finished = check(body, **parameters)
    assert finished.returncode == 2
    assert problem in finished.stderr
    assert "Traceback" not in finished.stderr
    assert "All is well" not in finished.stdout


@pytest.mark.parametrize(
    ("body", "parameters"),
    [
        # What an earlier step returns is not known.
        (run(task("a", "make", returns="['n', 'xs']"), task("s", "use")), {"n": "x"}),
        (run(task("a", "make", returns="['xs', 'n']"), MAP), {"xs": 5}),
        (run(task("s", "use")), {"n": "5"}),
        (run(task("s", "several")), {"rows": 3, "name": "n"}),
        (run(MAP), {"xs": [], "n": 1}),
        (run(CHOICE), {"kind": "head"}),
        # The branch that would fail is not chosen.
        (run(CHOICES), {"kind": "tail", "n": "many"}),
        (run(task("a", "make", returns="['kind', 'y']"), CHOICES), {"n": "many"}),
        (
            run(
                task("p", "make", catalog="Catalog(put=['out/*.csv'])"),
                task("g", "make", catalog="Catalog(get=['out/a.csv', '**/*'])"),
            ),
            {},
        ),
    ],
)
def test_what_may_be_right_is_left_alone(body, parameters):
    finished = check(body, **parameters)
    assert finished.returncode == 0, finished.stderr
    assert "All is well." in finished.stdout


def test_all_problems_are_listed_and_secrets_masked(monkeypatch):
    monkeypatch.setenv("TOKEN", "correct-horse-staple")
    steps = [
        task("a", "use", secrets="['TOKEN', 'OTHER']"),
        task("b", "say"),
        task("c", "make", catalog="Catalog(get=['a.csv'])"),
        MAP,
    ]
    finished = check(run(*steps), n="correct-horse-staple", text=[1], xs=5)
    for problem in ("step 'a'", "step 'b'", "step 'c'", "step 'm'", "'OTHER'"):
        assert problem in finished.stderr
    assert "correct-horse-staple" not in finished.stdout + finished.stderr


def test_a_pipeline_in_a_file():
    Path("f.py").write_text("def use(n: int): pass\n")
    Path("p.yaml").write_text("n: many\n")
    Path("flow.yaml").write_text(
        "dag:\n  start_at: s\n  steps:\n    s: {type: task, command: f.use, "
        "next: success, catalog: {get: [a.csv]}, secrets: [TOKEN]}\n"
    )
    finished = runnable("check", "flow.yaml", "-p", "p.yaml")
    assert finished.returncode == 2
    for problem in ("parameter 'n'", "'a.csv'", "'TOKEN'"):
        assert problem in finished.stderr
