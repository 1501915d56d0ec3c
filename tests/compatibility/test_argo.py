"""I07 to I40: findings of the infrastructure about Argo, shown by what is written."""

import copy
from pathlib import Path

import pytest
import yaml

from runnable.executor.argo.checks import find_problems
from tests.support import argo_flows
from tests.support.used import used_by


def written(shape, **config):
    build, usual = argo_flows.SHAPES[shape]
    executor = {"type": "argo", "config": {**copy.deepcopy(usual), **config}}
    pipeline = build()
    pipeline.execute(
        services={"pipeline_executor": executor},
        parameters=used_by(pipeline, argo_flows.PARAMETERS),
    )
    return Path("argo-pipeline.yaml").read_text()


def templates(text):
    document = yaml.safe_load(text)
    spec = document["spec"].get("workflowSpec") or document["spec"]
    return spec, {it["name"]: it for it in spec["templates"]}


@pytest.mark.parametrize("shape", ["sequential", "nightly"])
def test_I07_every_argument_has_a_value(shape):
    spec, _ = templates(written(shape))
    arguments = spec["arguments"]["parameters"]
    assert {"run_id", "log_level"} <= {it["name"] for it in arguments}
    assert all("value" in it for it in arguments)


def test_I08_the_case_of_a_conditional_is_a_number():
    _, made = templates(written("conditional"))
    cases = [it["when"] for it in made["choose"]["dag"]["tasks"] if "when" in it]
    reference = "'{{tasks.choose-fan-out.outputs.parameters.case}}'"
    assert cases == [f"{reference} == '[0]'", f"{reference} == '[1]'"]


def test_I09_a_pipeline_that_recovers_is_a_workflow_that_succeeds():
    _, made = templates(written("on_failure"))
    assert made["runnable-dag"]["dag"]["target"] == "end"


def test_I10_outputs_are_on_no_shared_claim():
    spec, made = templates(written("mapped"))
    (output,) = made["chunks-fan-out"]["outputs"]["parameters"]
    assert output["valueFrom"]["path"].startswith("/runnable-outputs/")
    volumes = {it["name"]: it for it in spec["volumes"]}
    assert volumes["runnable-outputs"]["emptyDir"] == {}


def test_I16_items_are_numbers_that_each_step_is_given():
    _, made = templates(written("loop"))
    command = " ".join(made["turns-m-fit"]["container"]["command"])
    numbers = "{{inputs.parameters.turns-number}},{{inputs.parameters.turns-m-number}}"
    assert f'"branch_numbers":[{numbers}]' in command
    assert "{{item}}" not in command


def test_I17_a_loop_has_all_its_templates():
    document = yaml.safe_load(written("loop"))
    assert list(find_problems(document)) == []


def test_I18_an_override_replaces_what_it_mentions():
    _, made = templates(written("everything"))
    plain, heavy = made["plain"]["container"], made["heavy"]["container"]
    assert heavy["image"] == "flows:gpu"
    assert heavy["imagePullPolicy"] == plain["imagePullPolicy"] == "IfNotPresent"
    assert heavy["resources"]["limits"] == {
        **plain["resources"]["limits"],
        "nvidia.com/gpu": "1",
    }


def test_I19_settings_hold_for_every_pod():
    _, made = templates(written("everything"))
    pods = [it for it in made.values() if "container" in it]
    assert {it["activeDeadlineSeconds"] for it in pods} == {3600}
    names = [{v["name"] for v in it["container"]["env"]} for it in pods]
    assert all({"PLAIN", "A", "B"} <= it for it in names)


def test_I21_what_is_memoized_says_for_how_long():
    _, made = templates(written("everything"))
    assert made["heavy"]["memoize"]["maxAge"]
    assert "memoize" not in made["m-fit"]


def test_I39_a_workflow_is_the_same_text_each_time():
    assert written("parallel") == written("parallel")
    assert "name: both-right-2" in written("parallel")


def test_I40_arguments_of_the_workflow_are_no_parameters_of_the_run():
    _, made = templates(written("sequential"))
    names = {it["name"] for it in made["load"]["container"]["env"]}
    assert "RUNNABLE_PRM_rate" in names
    assert not {"RUNNABLE_PRM_run_id", "RUNNABLE_PRM_log_level"} & names
