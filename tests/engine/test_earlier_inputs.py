"""What a run gets of an earlier one, from any store."""

from pathlib import Path

import pytest

from runnable import Catalog, Map, Parallel, Pipeline, PythonTask, pickled
from runnable.datastore.memory import MemoryRunLogStore


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def write(x):
    Path(f"{x}.txt").write_text("x" * x)
    return {x: x}, [x] * 1000


def use(model, long):
    return sum(map(len, long)) + len(model) + Path("2.txt").stat().st_size


def again(start):
    return start + 1


def build():
    branch = PythonTask(
        function=write,
        returns=[pickled("model"), "long"],
        catalog=Catalog(put=["*.txt"]),
    )
    return Pipeline(
        steps=[
            PythonTask(function=again, returns=["start"]),
            Map(
                name="each",
                branch=branch.as_pipeline(),
                iterate_on="xs",
                iterate_as="x",
            ),
            PythonTask(function=use, returns=["n"], catalog=Catalog(get=["2.txt"])),
        ]
    )


@pytest.mark.parametrize("kind", ["file-system", "sqlite", "memory"])
def test_of_branches_long_values_and_files(kind):
    store = MemoryRunLogStore() if kind == "memory" else {"type": kind}
    services = {"run_log_store": store}
    values = {"xs": [1, 2], "start": 1}
    whole = build().execute(run_id="whole", parameters=values, services=services)
    for file in Path().glob("*.txt"):
        file.unlink()
    run_log = build().execute(
        run_id="part", only="use", inputs_from="whole", services=services
    )
    assert run_log.outputs == {"n": whole.outputs["n"]} == {"n": 2004}
    # Of the files, those that it gets.
    assert run_log.run_config["part"]["files"] == ["2.txt"]
    assert not list(Path(".catalog/part").rglob("1.txt"))


def test_what_a_step_of_the_part_returned_is_not_what_it_begins_with():
    values = {"xs": [1, 2], "start": 1}
    build().execute(run_id="whole", parameters=values)
    run_log = build().execute(until="again", inputs_from="whole")
    assert run_log.outputs == {"start": 2}


def test_names_of_other_steps_are_not_carried_on():
    def both():
        return 1, 2

    steps = [
        PythonTask(function=both, returns=["a", "b"]),
        Parallel(
            name="p",
            branches={"x": PythonTask(name="s", function=lambda a: a).as_pipeline()},
        ),
    ]
    pipeline = Pipeline(steps=steps)
    pipeline.execute(run_id="whole")
    run_log = pipeline.execute(from_="p", inputs_from="whole")
    assert set(run_log.parameters) == {"a"}
