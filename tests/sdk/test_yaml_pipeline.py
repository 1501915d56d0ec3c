"""Pipelines that YAML files describe."""

import json
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml

from runnable import load_pipeline
from runnable.exceptions import ExecutionFailedError, PipelineFileError
from runnable.sdk.yaml_schema import pipeline_schema

IN_MEMORY = {"run_log_store": {"type": "memory"}, "catalog": {"type": "do-nothing"}}
FUNCTIONS = """
def one(): return 1
def add(x: int): return x + 1
def fail(): raise ValueError("bad data")
def is_done(number): return number == 2
async def stream():
    yield {"type": "end", "text": "said"}
"""
EVERY_KIND = """
common: &common {type: task, next: success}
dag:
  name: all kinds
  description: one of each
  start_at: one
  steps:
    one: {type: task, command: yaml_functions.one, returns: [{name: x}], next: both}
    both:
      type: parallel
      next: each
      branches:
        left.one:
          start_at: s
          steps:
            s:
              type: task
              command_type: shell
              command: export y=$x
              returns: [{name: y, kind: metric}]
              next: success
            success: {type: success}
            fail: {type: fail}
        right: {start_at: t, steps: {t: {type: stub, next: success, what: ever}}}
    each:
      type: map
      iterate_on: xs
      iterate_as: x
      reducer: sum
      branch:
        start_at: s
        steps: {s: {<<: *common, command: yaml_functions.add, returns: [z]}}
      next: again
    again:
      type: loop
      max_iterations: 9
      break_on: done
      index_as: number
      branch:
        start_at: s
        steps: {s: {<<: *common, command: yaml_functions.is_done, returns: [done]}}
      next: choose
    choose:
      type: conditional
      parameter: x
      default: other
      branches:
        "1": {start_at: q, steps: {q: {type: stub, next: success}}}
        other: {start_at: q, steps: {q: {type: stub, next: fail}}}
      next: say
    say:
      type: task
      command_type: async-python
      command: yaml_functions.stream
      stream_end_type: end
      returns: [text]
      next: try
    try:
      type: task
      command: yaml_functions.fail
      max_attempts: 2
      on_failure: mend
      next: success
    mend:
      type: stub
      next: success
    success: {type: success}
"""


@pytest.fixture(autouse=True)
def functions(tmp_path, monkeypatch):
    (tmp_path / "yaml_functions.py").write_text(FUNCTIONS)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    sys.modules.pop("yaml_functions", None)


def load(text):
    Path("pipeline.yaml").write_text(text)
    return load_pipeline("pipeline.yaml")


def findings(text):
    with pytest.raises(PipelineFileError) as caught:
        load(text)
    return str(caught.value).splitlines()


def test_every_kind_of_step():
    run_log = load(EVERY_KIND).execute(
        parameters={"xs": [1, 2]}, services=IN_MEMORY, run_id="r1"
    )
    assert run_log.status == "SUCCESS"
    values = {name: it.value for name, it in run_log.parameters.items()}
    expected = {"xs": [1, 2], "x": 1, "y": 1, "z": 5, "done": True, "text": "said"}
    assert values == expected
    assert run_log.metrics == {"y": 1}
    assert len(run_log.steps["try"].attempts) == 2
    assert list(run_log.steps["both"].branches) == ["both.left%2Eone", "both.right"]
    assert len(run_log.steps["again"].branches) == 3
    config = run_log.run_config
    assert config["execution_mode"] == "yaml"
    assert config["pipeline_definition_file"] == "pipeline.yaml"
    assert config["dag"]["name"] == "all kinds"


def one(step):
    return f"dag: {{start_at: s, steps: {{s: {step}}}}}\n"


@pytest.mark.parametrize(
    ("text", "at", "why"),
    [
        ("steps: {}", "", "no key 'dag'"),
        ("dagg: {}\n", "", "no key 'dag'"),
        ("dag: 3", "dag", "must be a mapping"),
        ("dag:\n  start_at: s\n  stesp: {}\n", "stesp", "Did you mean 'steps'?"),
        (
            "dag:\n  start_at: t\n  steps:\n    s: {type: stub, next: success}\n",
            "start_at: t",
            "it starts at 't'",
        ),
        (one("{next: success}"), "s: {next", "needs the key 'type'"),
        (one("{type: tsak, next: success}"), "type: tsak", "Did you mean 'task'?"),
        (one("{type: stub}"), "s: {type", "needs the key 'next'"),
        (one("{type: stub, next: nowhere}"), "next: nowhere", "leads to 'nowhere'"),
        (
            one("{type: stub, next: success, on_failure: nowhere}"),
            "on_failure: nowhere",
            "leads to 'nowhere'",
        ),
        (one("{tpye: stub, next: success}"), "tpye", "is it 'tpye' that says so?"),
        (one("{type: task, next: success}"), "s: {type", "needs a `command`"),
        (
            one("{type: stub, catalog: {pt: [x]}, next: success}"),
            "pt: ",
            "there is no such key. Did you mean 'put'?",
        ),
        (
            one("{type: task, command: math.sqrt, returns: [{nme: x}], next: success}"),
            "nme: ",
            "Did you mean 'name'?",
        ),
        (one("{type: stub, next: s}"), "s: {type", "in a circle: s -> s"),
        (
            one("{type: task, command: nowhere.f, next: success}"),
            "command: nowhere",
            "No module named 'nowhere'",
        ),
        (
            one("{type: task, command: yaml_functions.two, next: success}"),
            "command: yaml",
            "module 'yaml_functions' has no function 'two'",
        ),
        (
            one("{type: task, command: math.sqrt, comand: 1, next: success}"),
            "comand: 1",
            "Did you mean 'command'?",
        ),
        (
            one("{type: task, command_type: shel, command: x, next: success}"),
            "command_type",
            "Did you mean 'shell'?",
        ),
        (
            one("{type: task, command: math.sqrt, returns: [{kind: json}], next: success}"),
            "{kind: json}",
            "name: this key is needed",
        ),
        (
            one("{type: task, command: math.sqrt, max_attempts: 0, next: success}"),
            "max_attempts: 0",
            "must be 1 or more",
        ),
        (
            one("{type: loop, max_iterations: 0, break_on: x, index_as: i, next: success}"),
            "max_iterations: 0",
            "greater than or equal to 1",
        ),
        (one("{type: parallel, branches: {}, next: success}"), "branches", "not empty"),
        (
            one("{type: parallel, next: success, branches: {a: {start_at: b, "
                "steps: {b: {type: stub, next: c}}}}}"),
            "next: c",
            "step 'b' leads to 'c'",
        ),
        (
            one("{type: map, iterate_on: x, iterate_as: y, next: success, branch: "
                "{start_at: b, steps: {b: {type: stub, next: c}}}}"),
            "next: c",
            "step 'b' leads to 'c'",
        ),
        (one("{type: fail}"), "s: {type", "must have the name 'fail'"),
        ("a: 1\na: 2\n", "a: 2", "the key 'a' is there twice"),
        ("dag: !!python/object:os.system x\n", "!!python", "no valid YAML"),
        (
            "dag:\n  start_at: a.b\n  steps: {a.b: {type: stub, next: success}}\n",
            "a.b: {type",
            "cannot name a step",
        ),
    ],
)  # fmt: skip
def test_a_problem_is_named_with_its_location(text, at, why):
    found = [line for line in findings(text) if why in line]
    assert len(found) == 1, findings(text)
    place = found[0].split(": ")[0]
    if not at:
        assert place == "pipeline.yaml"
        return
    file, line, column = place.split(":")
    assert file == "pipeline.yaml"
    assert text.splitlines()[int(line) - 1][int(column) - 1 :].startswith(at)


def test_everything_that_is_wrong_is_listed():
    found = findings(
        "dag:\n"
        "  start_at: nowhere\n"
        "  steps:\n"
        "    a: {type: stubb, next: b}\n"
        "    b: {type: task, command: math.nothing, next: c}\n"
        "    d: {type: stub, next: e}\n"
    )
    assert [line.split(": ")[0] for line in found] == [
        "pipeline.yaml:4:9",
        "pipeline.yaml:5:21",
        "pipeline.yaml:2:3",
        "pipeline.yaml:5:44",
        "pipeline.yaml:6:21",
    ]
    assert "it starts at 'nowhere'" in found[2]
    assert "step 'b' leads to 'c'" in found[3]
    assert "step 'd' leads to 'e'" in found[4]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[" * 200, "levels deep"),
        ("a: [" + "1," * 200_000 + "]", "more than 100000 values"),
        (
            "a: &a [1,1,1,1,1,1,1,1,1]\n"
            + "".join(
                f"{chr(98 + n)}: &{chr(98 + n)} [{','.join(['*' + chr(97 + n)] * 9)}]\n"
                for n in range(9)
            ),
            "more than 100000 values",
        ),
        ("a: &a [*a]\n", "within its own definition"),
        ("#" * 2_000_000, "more than 1048576 bytes"),
    ],
)
def test_files_that_would_take_long_are_refused(text, why):
    assert why in findings(text)[0]


def test_a_missing_file():
    with pytest.raises(PipelineFileError, match=r"nope\.yaml: .*No such file"):
        load_pipeline("nope.yaml")


def test_a_failing_pipeline_reports_the_reason():
    pipeline = load(one("{type: task, command: yaml_functions.fail, next: success}"))
    with pytest.raises(ExecutionFailedError, match="step 's': ValueError: bad data"):
        pipeline.execute(services=IN_MEMORY)


def test_the_schema_accepts_readable_files():
    schema = pipeline_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    content = yaml.safe_load(EVERY_KIND)
    # Keys beside the dag are for anchors; branches of that name are merged by YAML.
    jsonschema.validate(content, schema)


@pytest.mark.parametrize(
    "step",
    [
        "{next: success}",
        "{type: task, command: x, comand: y, next: success}",
        "{type: task, command_type: shel, command: x, next: success}",
        "{type: map, iterate_on: x, iterate_as: y, next: success}",
        "{type: loop, max_iterations: 0, break_on: x, index_as: i, branch: {start_at: s, steps: {s: {type: stub, next: s}}}, next: success}",
        "{type: success, next: x}",
        "{type: task, command: x, returns: [{name: y, kind: jsn}], next: success}",
    ],
)
def test_the_schema_refuses_unreadable_files(step):
    content = yaml.safe_load(one(step))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(content, pipeline_schema())


def test_the_schema_is_json():
    assert json.loads(json.dumps(pipeline_schema())) == pipeline_schema()


def test_the_default_of_a_conditional_may_be_a_graph():
    text = one(
        "{type: conditional, parameter: p, next: success, "
        "branches: {yes: {start_at: a, steps: {a: {type: stub, next: success}}}}, "
        "default: {start_at: b, steps: {b: {type: stub, next: success}}}}"
    )
    Path("pipeline.yaml").write_text(text)
    for value, ran in (("yes", "s.yes.a"), ("other", "s.default.b")):
        run_log = load_pipeline("pipeline.yaml").execute(parameters={"p": value})
        paths = [step.internal_name for step in run_log.all_steps()]
        assert ran in paths, paths
    jsonschema.validate(yaml.safe_load(text), pipeline_schema())


def test_a_module_that_cannot_be_imported_is_one_problem():
    Path("broken.py").write_text("def f(:\n")
    steps = ", ".join(
        f"s{n}: {{type: task, command: broken.f{n}, next: s{n + 1}}}" for n in range(3)
    )
    Path("p.yaml").write_text(
        f"dag: {{start_at: s0, steps: {{{steps}, s3: {{type: stub, next: success}}}}}}"
    )
    with pytest.raises(PipelineFileError) as caught:
        load_pipeline("p.yaml")
    assert str(caught.value).count("SyntaxError") == 1
    assert "step 's0'" in str(caught.value)
