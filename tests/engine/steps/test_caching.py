"""Steps that reuse what they returned before."""

import dataclasses
import functools
import linecache
import os
import subprocess
import sys
import types
import uuid
from pathlib import Path
from typing import NamedTuple

import pytest
import s3

from runnable import (
    Catalog,
    Loop,
    Map,
    NotebookTask,
    Pipeline,
    PythonTask,
    ShellTask,
    delete_runs,
    pickled,
)
from runnable.datastore import StepFinished
from runnable.datastore.segment_file import Segment
from runnable.exceptions import DefinitionError, ExecutionFailedError
from runnable.parameters.identity import identity_of, identity_with_helpers

CALLS = types.ModuleType("calls")  # not a value, so it is not part of any key
CALLS.made = []


@pytest.fixture(autouse=True)
def _no_calls():
    CALLS.made.clear()


@pytest.fixture(params=["file-system", "s3"])
def services(request):
    if request.param == "file-system":
        return {}
    url = request.getfixturevalue("s3_url")
    config = {"bucket": f"runs/{uuid.uuid4().hex}", "endpoint_url": url, **s3.KEYS}
    return {"catalog": {"type": "s3", "config": config}}


def train(rows: list, *, rate: float = 0.1):
    CALLS.made.append("train")
    Path("model.txt").write_text(f"{len(rows)} {rate}")
    return {"weights": complex(len(rows), rate)}, len(rows)


def use(model: dict) -> str:
    CALLS.made.append("use")
    return str(model["weights"])


def build(function=train, **more):
    return Pipeline(
        steps=[
            PythonTask(
                name="train",
                function=function,
                catalog=Catalog(put=["model.txt"]),
                **{"cache": True, "returns": [pickled("model"), "count"], **more},
            ),
            PythonTask(name="use", function=use, returns=["text"], cache=True),
        ]
    )


def test_nothing_has_changed(services):
    first = build().execute(run_id="r1", parameters={"rows": [1, 2]}, services=services)
    Path("model.txt").unlink()
    second = build().execute(
        run_id="r2", parameters={"rows": [1, 2]}, services=services
    )
    assert CALLS.made == ["train", "use"]
    assert second.parameters["text"].value == "(2+0.1j)"
    assert second.parameters["model"].get_value() == {"weights": 2 + 0.1j}
    assert Path("model.txt").read_text() == "2 0.1"
    attempts = [second.steps[name].attempts[0] for name in ("train", "use")]
    assert [it.cached_from for it in attempts] == ["r1/train", "r1/use"]
    assert first.steps["train"].attempts[0].cached_from == ""
    assert [it.name for it in second.steps["train"].data_catalog] == ["model.txt"]


def test_a_run_lives_on_without_the_one_it_has_reused(services):
    build().execute(run_id="r1", parameters={"rows": [1, 2]}, services=services)
    second = build().execute(parameters={"rows": [1, 2]}, services=services)
    delete_runs(["r1"], services=services)
    assert second.parameters["model"].get_value() == {"weights": 2 + 0.1j}
    # What is remembered from a run, values too, is gone with it.
    build().execute(parameters={"rows": [1, 2]}, services=services)
    assert CALLS.made == ["train", "use"] * 2


def test_nothing_is_left_of_a_deleted_run(tmp_path):
    step = PythonTask(name="s", function=lambda: "PATIENT", returns=["x"], cache=True)
    step.as_pipeline().execute(run_id="r1")
    delete_runs(["r1"])
    for file in tmp_path.rglob("*"):
        assert not file.is_file() or "PATIENT" not in file.read_text(), file


def edit(suffix=""):
    path = Path("d.csv")
    path.write_text(path.read_text() + suffix)
    return path.read_text()


def test_a_file_that_was_replaced_later_is_made_again():
    def make():
        CALLS.made.append("make")
        Path("d.csv").write_text("raw")

    pipeline = Pipeline(
        steps=[
            PythonTask(
                name="make", function=make, cache=True, catalog=Catalog(put=["d.csv"])
            ),
            PythonTask(
                name="clean",
                function=functools.partial(edit, "+cleaned"),
                returns=["text"],
                catalog=Catalog(get=["d.csv"], put=["d.csv"]),
            ),
        ]
    )
    for _ in range(2):
        Path("d.csv").unlink(missing_ok=True)
        assert pipeline.execute().parameters["text"].value == "raw+cleaned"


def test_a_damaged_object_is_made_again():
    build().execute(parameters={"rows": [1]})
    for kept in Path(".catalog").rglob("*.pickle"):
        kept.write_bytes(b"x" * kept.stat().st_size)
    run_log = build().execute(parameters={"rows": [1]})
    assert run_log.parameters["model"].get_value() == {"weights": 1 + 0.1j}
    assert CALLS.made == ["train", "use", "train"]


def test_files_of_odd_names_are_brought():
    def write():
        CALLS.made.append("write")
        Path("x[1].csv").write_text("kept")

    step = PythonTask(
        name="s", function=write, cache=True, catalog=Catalog(put=["*.csv"])
    )
    for _ in range(2):
        step.as_pipeline().execute()
        assert Path("x[1].csv").read_text() == "kept"
        Path("x[1].csv").unlink()
    assert CALLS.made == ["write"]


class Adds:
    def __init__(self, number):
        self.number = number

    def __call__(self):
        return self.number


def with_default(number, *, by_name=False):
    def positional(x=number):
        return x

    def keyword(*, x=number):
        return x

    return keyword if by_name else positional


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (Adds(1), Adds(2)),
        (with_default(1), with_default(2)),
        (with_default(1, by_name=True), with_default(2, by_name=True)),
        (with_default(Adds(1)), with_default(Adds(2))),
        (lambda: 1, lambda: 2),
        (lambda x=1: x, lambda x=2: x),
    ],
)
def test_functions_that_look_alike(first, second):
    ids = [identity_of(it) for it in (first, second)]
    assert ids[0] != ids[1]
    assert ids == [identity_of(it) for it in (first, second)]


@pytest.mark.parametrize(
    "change",
    [
        {"parameters": {"rows": [1, 2, 3]}},
        {"parameters": {"rows": [1, 2], "rate": 0.2}},
        {"function": functools.partial(train, rate=0.1)},
        {"cache": False},
        {"returns": [pickled("model"), "number"]},
    ],
)
def test_something_has_changed(change):
    build().execute(parameters={"rows": [1, 2]})
    parameters = change.pop("parameters", {"rows": [1, 2]})
    pipeline = build(**change)
    pipeline.execute(parameters=parameters)
    assert CALLS.made.count("train") == 2


def test_another_source():
    def make(text):
        space = {"CALLS": CALLS}
        Path("own.py").write_text(
            f"def work(x):\n    CALLS.made.append(x)\n    {text}\n"
        )
        linecache.checkcache()
        code = compile(
            Path("own.py").read_text(), str(Path("own.py").resolve()), "exec"
        )
        exec(code, space)
        return PythonTask(
            name="s", function=space["work"], returns=["y"], cache=True
        ).as_pipeline()

    for text in ("return x", "return x", "return x + 1", "return x + 1"):
        run_log = make(text).execute(parameters={"x": 1})
    assert run_log.parameters["y"].value == 2
    assert CALLS.made == [1, 1]


def test_a_function_makes_the_key():
    def key(rows, rate=0):
        return len(rows)

    pipeline = build(cache=key)
    for rows in ([1, 2], [3, 4], [5]):
        pipeline.execute(parameters={"rows": rows})
    assert CALLS.made.count("train") == 2


def test_files_that_are_got_count():
    def read():
        CALLS.made.append("read")
        return Path("in.txt").read_text()

    write = ShellTask(name="w", command="true", catalog=Catalog(put=["in.txt"]))
    task = PythonTask(
        name="r",
        function=read,
        returns=["text"],
        catalog=Catalog(get=["in.txt"]),
        cache=True,
    )
    for text in ("a", "a", "b"):
        Path("in.txt").write_text(text)
        run_log = Pipeline(steps=[write, task]).execute()
        assert run_log.parameters["text"].value == text
    assert CALLS.made == ["read", "read"]


def test_in_a_map_and_in_another_process():
    def square(x):
        return x * x

    branch = PythonTask(
        name="s", function=square, returns=["y"], cache=True, workspace="isolated"
    ).as_pipeline()
    pipeline = Pipeline(
        steps=[Map(name="m", branch=branch, iterate_on="xs", iterate_as="x")]
    )
    for xs in ([1, 2], [2, 3]):
        run_log = pipeline.execute(parameters={"xs": xs})
    assert run_log.parameters["y"].value == [4, 9]
    (again, new) = run_log.steps["m"].branches.values()
    assert again.steps["m.2.s"].attempts[0].cached_from.endswith("/m.2.s")
    assert not new.steps["m.3.s"].attempts[0].cached_from


def test_a_failure_is_not_kept():
    def fail(x):
        CALLS.made.append("fail")
        raise ValueError("no")

    pipeline = PythonTask(name="s", function=fail, cache=True).as_pipeline()
    for _ in range(2):
        with pytest.raises(ExecutionFailedError):
            pipeline.execute(parameters={"x": 1})
    assert CALLS.made == ["fail", "fail"]


def test_callables_bound_to_objects_have_no_key():
    thing = object()

    def work():
        return str(thing)

    pipeline = PythonTask(name="s", function=work, cache=True).as_pipeline()
    with pytest.raises(ExecutionFailedError, match="give cache= a function that makes"):
        pipeline.execute()


def test_only_functions_have_arguments():
    with pytest.raises(DefinitionError, match="only functions have arguments"):
        NotebookTask(name="n", notebook="n.ipynb", cache=len)


@pytest.mark.parametrize("damage", ["", "{", '{"run_id": "r1", "record": "x"}', "[]"])
def test_a_damaged_entry_is_made_again(damage):
    build().execute(parameters={"rows": [1]})
    for entry in Path(".catalog/.cache").rglob("*.json"):
        entry.write_text(damage)
    build().execute(parameters={"rows": [1]})
    build().execute(parameters={"rows": [1]})
    assert CALLS.made == ["train", "use"] * 2


def test_without_a_catalog_every_step_is_run(in_memory):
    for _ in range(2):
        build().execute(parameters={"rows": [1]}, services=in_memory)
    assert CALLS.made == ["train", "use"] * 2


def test_an_end_that_cannot_be_kept_for_others_is_no_failure(caplog):
    Path(".catalog").mkdir()
    Path(".catalog/.cache").write_text("in the way")
    run_log = build().execute(parameters={"rows": [1]})
    assert run_log.status == "SUCCESS"
    assert "The end of step 'train' is not kept for others" in caplog.text


def test_the_code_that_was_loaded_counts_not_the_file():
    Path("m.py").write_text("def f():\n    return 'v1'\n")
    Path("run.py").write_text(
        "import sys; sys.path.insert(0, '.'); import m\n"
        "from pathlib import Path\n"
        "from runnable import PythonTask\n"
        "if sys.argv[1:]:\n"
        "    Path('m.py').write_text('def f():\\n    return \\'v2 \\'\\n')\n"
        "task = PythonTask(name='s', function=m.f, returns=['x'], cache=True)\n"
        "print(task.as_pipeline().execute().parameters['x'].value)\n"
    )
    for arguments, expected in ((["edit"], "v1"), ([], "v2 "), ([], "v2 ")):
        said = subprocess.run(
            [sys.executable, "run.py", *arguments],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert said.stdout == f"{expected}\n"


def test_the_iteration_that_a_task_sees_counts():
    def number():
        n = int(os.environ["NUMBER"])
        return n, n >= 2

    task = PythonTask(name="t", function=number, returns=["n", "done"], cache=True)
    loop = Loop(
        name="l",
        index_as="NUMBER",
        max_iterations=5,
        break_on="done",
        branch=task.as_pipeline(),
    )
    for _ in range(2):
        run_log = loop.as_pipeline().execute()
        assert run_log.parameters["n"].value == 2
    assert all(
        it.attempts[0].cached_from for it in run_log.all_steps() if it.name == "t"
    )


def test_a_function_may_hold_itself_and_inherit_its_call():
    def factorial(n=3):
        return n * factorial(n - 1) if n else 1

    assert identity_of(factorial) == identity_of(factorial)

    def made(base):
        return type("Caller", (base,), {"__module__": "m"})()

    class One:
        def __call__(self):
            return 1

    class Other:
        def __call__(self):
            return 2

    assert identity_of(made(One))["code"] != identity_of(made(Other))["code"]


def scaled(by):
    def base(x):
        return x

    @functools.wraps(base)
    def scaled(*args, _by=by, **kwargs):
        return base(*args, **kwargs) * _by

    return scaled


class Scale(NamedTuple):
    by: int

    def __call__(self, x):
        return x * self.by


@dataclasses.dataclass(slots=True)
class Slotted:
    by: int

    def __call__(self, x):
        return x * self.by


class Maker:
    @classmethod
    def make(cls):
        return cls.__name__


@pytest.mark.parametrize("make", [scaled, Scale, Slotted])
def test_values_held_by_a_function_are_part_of_its_key(make):
    assert identity_of(make(2)) == identity_of(make(2))
    assert identity_of(make(2)) != identity_of(make(3))


def test_odd_functions_have_an_identity():
    def early():
        return late

    assert identity_of(early) == identity_of(early)  # what it holds is not there yet
    late = 1
    assert identity_of(early)["closed"] == {"late": late}
    assert identity_of(Maker.make) == identity_of(Maker.make)


def test_a_reused_step_that_is_cut_off_is_not_run_on_its_own_files(monkeypatch):
    def first():
        Path("n.txt").write_text("0")

    def add():
        number = int(Path("n.txt").read_text()) + 1
        Path("n.txt").write_text(str(number))
        return number

    make = PythonTask(name="first", function=first, catalog=Catalog(put=["n.txt"]))
    step = PythonTask(
        name="add",
        function=add,
        returns=["n"],
        cache=True,
        catalog=Catalog(get=["n.txt"], put=["n.txt"]),
    )
    pipeline = Pipeline(steps=[make, step])
    assert pipeline.execute(run_id="one").parameters["n"].value == 1
    append = Segment.append

    def cut_off(segment, *records):
        for it in records:
            if isinstance(it, StepFinished) and it.path == "add":
                raise OSError("cut off")
        append(segment, *records)

    with monkeypatch.context() as patched:
        patched.setattr(Segment, "append", cut_off)
        with pytest.raises(ExecutionFailedError, match="cut off"):
            pipeline.execute(run_id="two")
    run_log = pipeline.execute(resume="two")
    assert run_log.parameters["n"].value == 1
    assert Path(".catalog/two/n.txt").read_text() == "1"


HASHED = """
import functools
from runnable import Pipeline, PythonTask

def make():
    return {"b", "a", "c", "d", "e"}

def work(names, letters):
    open("calls.txt", "a").write("called ")
    return len(letters)

steps = [
    PythonTask(name="make", function=make, returns=["letters"]),
    PythonTask(
        name="s",
        function=functools.partial(work, {"x", "y", "z", "u", "v", "w"}),
        returns=["n"],
        cache=True,
    ),
]
Pipeline(steps=steps).execute()
"""


def test_a_set_has_the_same_key_in_every_process():
    for seed in ("1", "2", "3"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        subprocess.run([sys.executable, "-c", HASHED], check=True, env=environment)
    assert Path("calls.txt").read_text() == "called "


HELPERS = """
import enum
import functools
import json
from decimal import Decimal
from pathlib import Path

FACTOR = 2
TABLE = {"a": [1]}

def deep(x):
    return x * FACTOR

class Colour(enum.Enum):
    RED = 1

class Model:
    offset = 0
    def __init__(self, x):
        self.x = x
    @staticmethod
    def same(x):
        return x  # static
    @property
    def one(self):
        return 1  # property
    def scale(self, by=1):
        return by
    def value(self):
        return deep(self.x) + TABLE["a"][0]

def handler(x):
    return x  # handler

MODEL = Model(1)
NUMBERS = {1: 10}
SHARE = Decimal('1.5')
HANDLERS = {"h": handler}
TWICE = functools.partial(deep, 1)

def decorated(function):
    @functools.wraps(function)
    def call(*args):
        return function(*args)
    return call

@decorated
def clean(x):
    use = MODEL, NUMBERS, SHARE, HANDLERS, TWICE, Colour.RED
    return Model(x).value()

def unused():
    return 1
"""


@pytest.mark.parametrize(
    ("before", "after", "is_reused"),
    [
        ("FACTOR = 2", "FACTOR = 3", False),
        ('"a": [1]', '"a": [2]', False),
        ("return x * FACTOR", "return x + FACTOR", False),
        ("offset = 0", "offset = 1", False),
        ("return x  # static", "return -x", False),
        ("return 1  # property", "return 2", False),
        ("def scale(self, by=1)", "def scale(self, by=2)", False),
        ("MODEL = Model(1)", "MODEL = Model(2)", False),
        ("{1: 10}", "{1: 11}", False),
        ("Decimal('1.5')", "Decimal('2.5')", False),
        ("return x  # handler", "return -x", False),
        ("functools.partial(deep, 1)", "functools.partial(deep, 2)", False),
        ("RED = 1", "RED = 2", False),
        ("deep(self.x) +", "deep(self.x) -", False),
        ("return function(*args)", "return function(*args) + 1", False),
        ("return Model(x).value()", "return Model(x + 1).value()", False),
        ("def unused():\n    return 1", "def unused():\n    return 2", True),
        ("import json", "import json  # a comment", True),
    ],
)
@pytest.mark.parametrize("style", ["import helpers", "from helpers import clean"])
def test_what_a_function_calls_in_modules_of_its_project_counts(
    before, after, is_reused, style
):
    call = "helpers.clean(x)" if style == "import helpers" else "clean(x)"
    Path("steps.py").write_text(
        f"{style}\nimport json\ndef work(x):\n"
        f"    open('calls', 'a').write('.')\n    return json.dumps({call})\n"
    )
    Path("run.py").write_text(
        "from runnable import PythonTask\nimport steps\n"
        "task = PythonTask(name='s', function=steps.work, returns=['y'], cache=True)\n"
        "task.as_pipeline().execute(parameters={'x': 1})\n"
    )
    for text in (HELPERS, HELPERS, HELPERS.replace(before, after)):
        Path("helpers.py").write_text(text)
        command = [sys.executable, "-B", "run.py"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    assert Path("calls").read_text() == "." * (1 if is_reused else 2)
    assert HELPERS.replace(before, after) != HELPERS


def test_functions_may_call_each_other_in_a_circle():
    def even(n):
        return n == 0 or odd(n - 1)

    def odd(n):
        return n != 0 and even(n - 1)

    assert identity_with_helpers(even) == identity_with_helpers(even)
