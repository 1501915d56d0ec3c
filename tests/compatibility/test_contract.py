"""C1 to C20: what scripts and other programs rely on."""

import importlib
import inspect
import json
import os
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from pydantic import BaseModel

import runnable
from runnable import (
    Catalog,
    Conditional,
    ExecutionFailedError,
    Loop,
    Map,
    NotebookTask,
    Parallel,
    Pipeline,
    PythonJob,
    PythonTask,
    ShellTask,
    Stub,
    metric,
    pickled,
)
from runnable.context import get_run_context, set_run_context
from runnable.defaults import ENV_RUN_ID, FAIL, RETRY_RUN_ID, SUCCESS
from runnable.exceptions import RunLogExistsError

IN_MEMORY = {"run_log_store": {"type": "memory"}, "catalog": {"type": "do-nothing"}}
NAMES = [
    "Pipeline",
    "AsyncPipeline",
    "PythonTask",
    "NotebookTask",
    "ShellTask",
    "AsyncPythonTask",
    "Stub",
    "Parallel",
    "Map",
    "Conditional",
    "Loop",
    "Success",
    "Fail",
    "PythonJob",
    "NotebookJob",
    "ShellJob",
    "Catalog",
    "json",
    "pickled",
    "metric",
    "get_stream_queue",
    "set_stream_queue",
    "truncate_value",
    "console",
    "task_console",
    "OTEL_AVAILABLE",
    "StreamingSpanProcessor",
]
MODULES = {
    "runnable.sdk": ["Loop", "Pipeline", "PythonTask"],
    "runnable.context": ["get_run_context", "set_run_context", "PipelineContext"],
    "runnable.defaults": [
        *("ENV_RUN_ID", "RETRY_RUN_ID", "RUNNABLE_PARAMETERS_FILE", "SUCCESS", "FAIL"),
        *("RUNNABLE_CONFIGURATION_FILE", "RUNNABLE_RUN_TAG", "PARAMETER_PREFIX"),
        *("VARIABLE_PREFIX", "RETRY_INDICATOR", "ATTEMPT_NUMBER", "CREATED"),
        *("PROCESSING", "COMMAND_TYPE", "COMMAND_FRIENDLY_CHARACTER"),
        *("MAP_PLACEHOLDER", "LOOP_PLACEHOLDER", "USER_CONFIG_FILE"),
        *("LOG_LOCATION_FOLDER", "CATALOG_LOCATION_FOLDER", "COMPUTE_DATA_FOLDER"),
        *("DOTENV_FILE_LOCATION", "LOG_LEVEL", "LARGE_FILE_THRESHOLD_BYTES"),
        "HASH_CHUNK_SIZE",
    ],
    "runnable.names": ["get_random_name"],
    "runnable.exceptions": [
        *("ExecutionFailedError", "RunLogExistsError", "RunLogNotFoundError"),
        *("StepLogNotFoundError", "BranchLogNotFoundError", "JobLogNotFoundError"),
        *("EntityNotFoundError", "NodeNotFoundError", "BranchNotFoundError"),
        *("NodeMethodCallError", "TerminalNodeError", "SecretNotFoundError"),
        *("CommandCallError", "RetryValidationError"),
    ],
}


def one(name, function, *returns, **more):
    return PythonTask(name=name, function=function, returns=list(returns), **more)


@pytest.mark.parametrize("name", NAMES)
def test_C1_names_of_the_package(name):
    assert hasattr(runnable, name)


@pytest.mark.parametrize("module", MODULES)
def test_C1_names_of_modules(module):
    found = importlib.import_module(module)
    assert [name for name in MODULES[module] if not hasattr(found, name)] == []


def test_C1_signatures():
    names = list(inspect.signature(Pipeline.execute).parameters)
    assert names[1:6] == [
        *("configuration_file", "run_id", "tag", "parameters_file", "log_level"),
    ]
    names = list(inspect.signature(PythonJob.execute).parameters)
    assert names[1:6] == [
        *("configuration_file", "job_id", "tag", "parameters_file", "log_level"),
    ]
    step = Stub(name="a")
    assert (step.next_node, step.on_failure) == ("", None)
    assert not step.terminate_with_success
    assert Catalog().model_dump() == {"get": [], "put": [], "store_copy": True}
    assert one("s", len).command_type == "python"
    steps = [Stub(name=name) for name in "abc"]
    assert steps[0] >> steps[1] is steps[1]
    assert steps[2] << steps[1] is steps[1]
    assert (steps[0].next_node, steps[1].next_node) == ("b", "c")


def simple():
    return 1


def main(execute: bool = True):
    pipeline = Pipeline(steps=[one("s", simple, "x")])
    if execute:
        pipeline.execute()
    return pipeline


def test_C2_main_may_be_called_again():
    assert isinstance(main(), Pipeline)
    assert isinstance(main(execute=False), Pipeline)
    assert main().execute().status == SUCCESS


def test_C3_a_failed_run_raises_and_can_be_read(monkeypatch):
    monkeypatch.setenv(ENV_RUN_ID, "r1")
    pipeline = one("s", lambda: 1 / 0).as_pipeline()
    with pytest.raises(ExecutionFailedError) as failed:
        pipeline.execute()
    assert failed.value.run_id == "r1"
    assert failed.value.run_log.status == FAIL
    assert runnable.get_run_log("r1").status == FAIL
    with pytest.raises(RunLogExistsError):
        pipeline.execute()


def test_C4_another_environment_makes_another_run(monkeypatch):
    for number in (1, 2):
        set_run_context(None)
        monkeypatch.setenv(ENV_RUN_ID, f"r{number}")
        monkeypatch.setenv("RUNNABLE_PRM_n", str(number))
        one("s", lambda n: n, "m").as_pipeline().execute()
        assert runnable.get_run_log(f"r{number}").parameters["m"].value == number


def test_C5_the_run_id_of_the_environment(monkeypatch):
    monkeypatch.setenv(ENV_RUN_ID, "r1")

    def look():
        assert os.environ[ENV_RUN_ID] == "r1"
        assert get_run_context().run_id == "r1"

    one("s", look).as_pipeline().execute()
    assert os.environ[ENV_RUN_ID] == "r1"


def test_C6_variables(monkeypatch):
    Path("c.yaml").write_text(
        "run-log-store: {type: file-system, config: {log_folder: $folder}}\n"
    )
    Path("p.yaml").write_text("n: 1\nm: 2\n")
    monkeypatch.setenv("RUNNABLE_CONFIGURATION_FILE", "c.yaml")
    monkeypatch.setenv("RUNNABLE_PARAMETERS_FILE", "p.yaml")
    monkeypatch.setenv("RUNNABLE_VAR_folder", "logs")
    monkeypatch.setenv("RUNNABLE_PRM_n", "10")
    monkeypatch.setenv("RUNNABLE_RETRY_INDICATOR", "second")
    run_log = one("s", lambda n, m: n + m, "k").as_pipeline().execute(run_id="r1")
    assert run_log.parameters["k"].value == 12
    assert Path("logs/r1.json").exists()
    assert run_log.steps["s"].attempts[0].retry_indicator == "second"


@pytest.mark.parametrize("key", ["pipeline-executor", "pipeline_executor"])
@pytest.mark.parametrize("store", ["file-system", "chunked-fs", "buffered"])
def test_C7_types_of_services(key, store):
    Path("runnable-config.yaml").write_text(
        f"{key}: {{type: local, config: {{enable_parallel: true}}}}\n"
        f"run-log-store: {{type: {store}}}\n"
        "catalog: {type: file-system}\nsecrets: {type: env-secrets}\n"
        "pickler: {type: pickle}\njob-executor: {type: local}\n"
    )
    assert main().execute().run_config["run_log_store"]["service_name"]


def everything():
    branch = one("s", lambda n: n, "y").as_pipeline()
    steps = [
        one("first", lambda: 1, "n"),
        Parallel(name="p", branches={"a": branch, "b": branch}),
        Map(name="m", branch=branch, iterate_on="xs", iterate_as="n"),
        Loop(
            name="l",
            branch=one("t", lambda i: i == 1, "done").as_pipeline(),
            max_iterations=5,
            break_on="done",
            index_as="i",
        ),
        Conditional(name="c", parameter="n", branches={"1": branch}),
    ]
    return Pipeline(steps=steps)


def test_C8_C9_C11_the_model_of_a_run_log():
    run_log = everything().execute(run_id="r1", parameters={"xs": ["u", "v"]})
    run_log = runnable.get_run_log("r1")
    assert list(run_log.steps) == ["first", "p", "m", "l", "c", "success"]
    assert list(run_log.steps["m"].branches) == ["m.u", "m.v"]
    assert list(run_log.steps["l"].branches) == ["l.0", "l.1"]
    branch = run_log.steps["p"].branches["p.a"]
    assert list(branch.steps) == ["p.a.s", "p.a.success"]
    step, found = run_log.search_step_by_internal_name("p.a.s")
    assert step.name == "s"
    assert found.internal_name == "p.a"
    assert run_log.search_branch_by_internal_name("p.a")[0] is not None
    assert run_log.search_branch_by_internal_name("")[0] is run_log
    assert run_log.steps["first"].step_type == "task"
    assert run_log.run_config["catalog"]["service_name"] == "file-system"


def test_C10_where_things_are():
    Path("data").mkdir()
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("print(1)")])
    Path("books").mkdir()
    nbformat.write(book, "books/simple.ipynb")
    steps = [
        one(
            "hello stub",
            lambda: Path("data/d.txt").write_text("x"),
            catalog=Catalog(put=["data/*"]),
        ),
        NotebookTask(name="hello", notebook="books/simple.ipynb"),
    ]
    Pipeline(steps=steps).execute(run_id="r1")
    root = Path(".catalog/r1")
    assert (root / "data/d.txt").read_text() == "x"
    assert (root / "books/simple-hello_out.ipynb").exists()
    # Where 0.50 has an execution log of a step that printed nothing, there is none.
    logs = {it.name[:-17] for it in root.glob("*.execution.log")}
    assert logs == {"hello"}
    assert json.loads(Path(".run_log_store/r1.json").read_text())["run_id"] == "r1"


class Model(BaseModel):
    x: int


def produce():
    return 1, Model(x=2), pd.DataFrame({"a": [1]}), 0.9


RETURNS = ["a", "b", pickled("df"), metric("score")]


def test_C12_inputs_and_outputs_of_attempts():
    steps = [
        PythonTask(name="make", function=produce, returns=RETURNS),
        one("use", lambda a, df: None),
    ]
    run_log = Pipeline(steps=steps).execute()
    made, used = (run_log.steps[name].attempts[0] for name in ("make", "use"))
    values = {name: it.value for name, it in made.output_parameters.items()}
    assert values == {"a": 1, "b": {"x": 2}, "df": "df", "score": 0.9}
    assert list(made.user_defined_metrics) == ["score"]
    # Unlike 0.50, the parameters that it was given, not all that there were.
    assert set(used.input_parameters) == {"a", "df"}
    assert used.input_parameters["df"].value == "df"
    assert list(run_log.parameters["df"].get_value().columns) == ["a"]


def test_C13_parameters_of_commands():
    command = """
    [ "$i" = 1 ] && [ "$f" = 3.14 ] && [ "$s" = hello ] && [ "$n" = null ] &&
    [ "$d" = '{"x": 10, "foo": "bar"}' ] && export out="$((i + 1))" more='{"k": [1]}'
    """
    run_log = (
        ShellTask(name="s", command=command, returns=["out", "more"])
        .as_pipeline()
        .execute(
            parameters={
                "i": 1, "f": 3.14, "s": "hello", "n": None,
                "d": {"x": 10, "foo": "bar"},
            },
            services=IN_MEMORY,
        )
    )  # fmt: skip
    assert run_log.parameters["out"].value == 2
    assert run_log.parameters["more"].value == {"k": [1]}


def test_C14_notebooks_take_parameters_and_give_objects():
    Path("helper_c14.py").write_text("def twice(x): return 2 * x\n")
    cells = [
        nbformat.v4.new_code_cell("x = None", metadata={"tags": ["parameters"]}),
        nbformat.v4.new_code_cell(
            "import pandas as pd\nfrom helper_c14 import twice\n"
            "from pydantic import BaseModel\n"
            "class M(BaseModel):\n    n: int\n"
            "df = pd.DataFrame({'a': [twice(x)]})\nm = M(n=d['k'])"
        ),
    ]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), "n.ipynb")
    step = NotebookTask(name="s", notebook="n.ipynb", returns=[pickled("df"), "m"])
    run_log = step.as_pipeline().execute(parameters={"x": 2, "d": {"k": 7}})
    assert run_log.parameters["df"].get_value()["a"][0] == 4
    assert run_log.parameters["m"].value == {"n": 7}


def test_C15_the_index_of_a_loop_is_in_the_environment():
    seen = []

    def body():
        seen.append(os.environ["my_index"])  # noqa: SIM112 - the user's own name
        return len(seen) == 3

    Loop(
        name="l",
        branch=one("s", body, "done").as_pipeline(),
        max_iterations=9,
        break_on="done",
        index_as="my_index",
    ).as_pipeline().execute(services=IN_MEMORY)
    assert seen == ["0", "1", "2"]


def test_C16_what_branches_set():
    def both(value):
        return one("s", lambda: (value, value), "shared", value).as_pipeline()

    step = Parallel(name="p", branches={"a": both("va"), "b": both("vb")})
    run_log = step.as_pipeline().execute(services=IN_MEMORY)
    values = {name: it.value for name, it in run_log.parameters.items()}
    assert values == {"shared": "vb", "va": "va", "vb": "vb"}


def test_C17_retries(monkeypatch):
    flag, calls = Path("mended"), []

    def first(n):
        calls.append("first")

    def second():
        calls.append("second")
        if not flag.exists():
            raise ValueError("not yet")

    pipeline = Pipeline(steps=[one("a", first), one("b", second)])
    with pytest.raises(ExecutionFailedError):
        pipeline.execute(run_id="r1", parameters={"n": 1})
    flag.touch()
    monkeypatch.setenv(RETRY_RUN_ID, "r1")
    run_log = pipeline.execute(parameters={"n": 2})
    assert run_log.run_id == "r1"
    assert calls == ["first", "second", "second"]
    assert [it.status for it in run_log.steps["b"].attempts] == ["FAIL", "SUCCESS"]
    assert run_log.parameters["n"].value == 1


def test_C18_jobs():
    run_log = PythonJob(function=produce, returns=RETURNS, name="ignored").execute()
    assert (run_log.status, run_log.job.status) == ("SUCCESS", "SUCCESS")
    outputs = run_log.job.attempts[0].output_parameters
    assert {name: it.value for name, it in outputs.items()} == {
        "a": 1,
        "b": {"x": 2},
        "df": "df",
        "score": 0.9,
    }


def test_C19_what_is_accepted():
    Stub(name="x", what="anything", function=simple)
    step = one("s", simple, overrides={"local-container": "other"})
    assert step.as_pipeline().return_dag().node("s").overrides == {
        "local-container": "other"
    }


def test_C20_words():
    assert (SUCCESS, FAIL) == ("SUCCESS", "FAIL")
