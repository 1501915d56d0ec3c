"""Workflows of Argo as they are written: golden files, the schema, our own checks."""

import copy
import gzip
import json
import os
from pathlib import Path

import jsonschema
import pytest
import yaml
from hypothesis import given, settings

from runnable import Loop, Pipeline, PythonTask
from runnable.exceptions import ConfigurationError
from runnable.executor.argo.checks import find_problems
from runnable.parameters.packing import unpacked_variables
from tests.support import argo_flows
from tests.support.random_pipelines import drawn_pipelines
from tests.support.used import used_by

GOLDEN = Path(__file__).parent / "golden"
_BESIDE = Path(__file__).parents[4] / "shared" / "argo"
SCHEMAS = Path(os.environ.get("RUNNABLE_TEST_ARGO_SCHEMAS", _BESIDE))


def rendered(pipeline, config, parameters=argo_flows.PARAMETERS, **options):
    """Execute a pipeline with the executor, and return the workflow that it writes."""
    services = {"pipeline_executor": {"type": "argo", "config": config}}
    given = used_by(pipeline, parameters)
    log = pipeline.execute(services=services, parameters=given, **options)
    assert log.status == "CREATED"
    return yaml.safe_load(Path(log.run_config["manifest"]).read_text())


@pytest.fixture
def own(monkeypatch, tmp_path):
    """A configuration whose stores do not depend on the folder of the test."""
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("shape", argo_flows.SHAPES)
def test_each_shape_is_as_its_golden_file(shape, own, request):
    build, config = argo_flows.SHAPES[shape]
    rendered(build(), config)
    text = Path("argo-pipeline.yaml").read_text()
    file = GOLDEN / f"{shape}.yaml"
    if request.config.getoption("regenerate"):
        file.write_text(text)
    assert text == file.read_text(), "run pytest --regenerate, and look at the changes"


def strict(schema):
    """Refuse keys that a schema does not have, where it lists any."""
    if isinstance(schema, list):
        return [strict(it) for it in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: strict(it) for key, it in schema.items()}
    if schema.get("x-kubernetes-int-or-string"):
        made.pop("anyOf", None)
        return {**made, "type": ["integer", "string"]}
    keeps = "x-kubernetes-preserve-unknown-fields" in schema
    if isinstance(schema.get("properties"), dict) and not keeps:
        made.setdefault("additionalProperties", False)
    return made


@pytest.fixture(scope="session")
def validators():
    if not SCHEMAS.is_dir():
        pytest.skip(f"Argo's schemas are not here: {SCHEMAS}")
    made = {}
    for kind in ("workflow", "cronworkflow"):
        with gzip.open(SCHEMAS / f"{kind}s.json.gz") as file:
            schema = strict(json.load(file)["schema"])
        schema["properties"]["metadata"] = {"type": "object"}
        made[kind] = jsonschema.Draft7Validator(schema)
    return made


def findings(validators, document):
    validator = validators[document["kind"].lower()]
    return [
        (list(it.absolute_path), it.message) for it in validator.iter_errors(document)
    ]


@pytest.mark.parametrize("shape", argo_flows.SHAPES)
def test_each_shape_fits_the_schema(shape, validators):
    document = yaml.safe_load((GOLDEN / f"{shape}.yaml").read_text())
    assert findings(validators, document) == []
    document["spec"]["paralelism"] = 1
    assert findings(validators, document) != []


@given(drawn_pipelines())
@settings(max_examples=25)
def test_any_pipeline_is_a_valid_workflow(validators, drawn):
    drawn = Pipeline(steps=drawn.steps, reference="flows:build")
    document = rendered(drawn, argo_flows.USUAL, {"items": [1], "choice": "b0"})
    assert findings(validators, document) == []
    assert list(find_problems(document)) == []


def broken(shape, change):
    document = yaml.safe_load((GOLDEN / f"{shape}.yaml").read_text())
    assert list(find_problems(document)) == []
    changed = copy.deepcopy(document)
    change({it["name"]: it for it in changed["spec"]["templates"]}, changed["spec"])
    return "; ".join(find_problems(changed))


def tasks(template):
    return {it["name"]: it for it in template["dag"]["tasks"]}


CHANGES = {
    "there is no template 'x'": lambda t, s: s.update(entrypoint="x"),
    "more than once": lambda t, s: s["templates"].append(t["list"]),
    "is no name for Argo": lambda t, s: t["list"].update(name="List it"),
    "depends on x.Succeeded": lambda t, s: tasks(t["runnable-dag"])["chunks"].update(
        depends="x.Succeeded"
    ),
    "list.Succeded": lambda t, s: tasks(t["runnable-dag"])["chunks"].update(
        depends="list.Succeded"
    ),
    "depends on itself": lambda t, s: tasks(t["runnable-dag"])["list"].update(
        depends="collect.Succeeded"
    ),
    "refers to 'workflow.parameters.x'": lambda t, s: t["list"]["container"][
        "command"
    ].append("{{workflow.parameters.x}}"),
    "refers to 'inputs.parameters.x'": lambda t, s: t["list"]["container"][
        "command"
    ].append("{{inputs.parameters.x}}"),
    "which no task before it gives": lambda t, s: tasks(t["chunks"])[
        "chunks-branch"
    ].update(withParam="{{tasks.chunks-fan-out.outputs.parameters.other}}"),
    "is wanted": lambda t, s: tasks(t["chunks"])["chunks-branch"].pop("arguments"),
    "no volume": lambda t, s: s.pop("volumes"),
    "its target": lambda t, s: t["chunks"]["dag"].update(target="x"),
}


@pytest.mark.parametrize("said", CHANGES)
def test_what_a_schema_does_not_see_is_found(said):
    assert said in broken("mapped", CHANGES[said])


def test_nothing_of_the_run_but_its_parameters_is_in_the_workflow(own, monkeypatch):
    monkeypatch.setenv("TOKEN", "the-value-of-the-secret")
    rendered(argo_flows.everything(), argo_flows.ALL)
    text = Path("argo-pipeline.yaml").read_text()
    assert "the-value-of-the-secret" not in text
    assert "{{workflow.name}}" not in text.replace("value: '{{workflow.name}}'", "")


def error(config, pipeline=None, parameters=argo_flows.PARAMETERS, **options):
    services = {"pipeline_executor": {"type": "argo", "config": config}}
    pipeline = pipeline or argo_flows.sequential()
    given = used_by(pipeline, parameters)
    with pytest.raises(ConfigurationError) as caught:
        pipeline.execute(services=services, parameters=given, **options)
    assert not Path("argo-pipeline.yaml").exists()
    return str(caught.value)


def test_what_cannot_run_there_is_refused():
    usual = argo_flows.USUAL
    without = {key: it for key, it in usual.items() if key != "pvc_for_runnable"}
    assert "pods do not see" in error(without)
    assert "image" in error({**usual, "defaults": {}})
    said = error({**usual, "defaults": {"image": "a", "imge": "b"}})
    assert "unknown option 'defaults.imge'" in said
    said = error({**usual, "overrides": {"gpus": {}}}, argo_flows.everything())
    assert "no overrides 'gpu'" in said
    assert "Did you mean 'gpus'" in said
    task = PythonTask(name="s", function=argo_flows.nothing, workspace="run")
    assert "workspace: run" in error(usual, argo_flows.pipeline(task))
    assert "{{" in error(usual, tag="{{a}}")


def test_a_volume_of_its_own_has_the_stores(own):
    volume = {"mount_path": "/data", "persistent_volume_claim": {"claim_name": "c"}}
    services = {
        "pipeline_executor": {
            "type": "argo",
            "config": {
                "defaults": {"image": "a"},
                "argo_workflow": {"metadata": {"generate_name": "f-"}},
                "custom_volumes": [volume],
            },
        },
        "run_log_store": {
            "type": "file-system",
            "config": {"log_folder": "/data/logs"},
        },
        "catalog": {"type": "do-nothing"},
    }
    argo_flows.sequential().execute(services=services)
    text = Path("argo-pipeline.yaml").read_text()
    assert "RUNNABLE_SERVICE_OPTIONS" not in text
    assert "claimName: c" in text


def test_texts_stay_texts_for_every_reader_of_yaml(own):
    values = {"a": "0o17", "b": "01234e5", "c": ".5e3", "d": "12e34", "e": "-1_0"}
    rendered(argo_flows.sequential(), argo_flows.USUAL, values)
    text = Path("argo-pipeline.yaml").read_text()
    for it in values.values():
        assert f'"{it}"' in text or f'\\"{it}\\"' in text, it


def test_names_that_differ_by_case_are_packed(own):
    document = rendered(
        argo_flows.sequential(), argo_flows.USUAL, {"Rate": 1, "rate": 2, "x": 3}
    )
    (first,) = (it for it in document["spec"]["templates"] if it["name"] == "load")
    variables = {it["name"]: it.get("value") for it in first["container"]["env"]}
    assert {it for it in variables if it.startswith("RUNNABLE_PRM_")} == {
        "RUNNABLE_PRM_x"
    }
    assert unpacked_variables(variables).values == {"Rate": 1, "rate": 2}


def test_the_pod_that_begins_the_run_is_never_skipped():
    document = yaml.safe_load((GOLDEN / "everything.yaml").read_text())
    remembered = [it["name"] for it in document["spec"]["templates"] if "memoize" in it]
    assert remembered == ["heavy"]


def test_a_deep_loop_is_warned_of(own, caplog):
    turn = PythonTask(name="turn", function=lambda: True, returns=["done"])
    loop = Loop(
        name="turns",
        branch=turn.as_pipeline(),
        max_iterations=500,
        break_on="done",
        index_as="number",
    )
    rendered(argo_flows.pipeline(loop), argo_flows.USUAL)
    assert "DISABLE_MAX_RECURSION" in caplog.text
