"""Pipelines that are described to Argo: one of each shape, for golden files."""

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
)


def nothing() -> None:
    """Do nothing."""


def task(name: str, **more) -> PythonTask:
    return PythonTask(name=name, function=nothing, **more)


def pipeline(*steps) -> Pipeline:
    return Pipeline(steps=list(steps), name="flow", reference="flows:build")


def sequential() -> Pipeline:
    return pipeline(task("load"), ShellTask(name="fit", command="true"), Stub(name="s"))


def parallel() -> Pipeline:
    left = Pipeline(steps=[task("one"), task("two")])
    inner = Parallel(name="inner", branches={"a": task("a").as_pipeline()})
    branches = {"left": left, "Right (2)": Pipeline(steps=[inner])}
    return pipeline(Parallel(name="both", branches=branches), task("after"))


def mapped() -> Pipeline:
    branch = Pipeline(steps=[task("fit"), task("score")])
    items = PythonTask(name="list", function=lambda: [1, 2], returns=["chunks"])
    return pipeline(
        items,
        Map(
            name="chunks",
            branch=branch,
            iterate_on="chunks",
            iterate_as="chunk",
            max_workers=2,
        ),
        task("collect"),
    )


def conditional() -> Pipeline:
    toss = PythonTask(name="toss", function=lambda: "heads", returns=["side"])
    branches = {
        "heads": task("when heads").as_pipeline(),
        "it's {tails}": task("when tails").as_pipeline(),
    }
    return pipeline(
        toss, Conditional(name="choose", parameter="side", branches=branches)
    )


def loop() -> Pipeline:
    turn = PythonTask(name="turn", function=lambda: True, returns=["done"])
    inner = Map(
        name="m",
        branch=task("fit").as_pipeline(),
        iterate_on="chunks",
        iterate_as="chunk",
    )
    turns = Loop(
        name="turns",
        branch=Pipeline(steps=[turn, inner]),
        max_iterations=3,
        break_on="done",
        index_as="number",
    )
    items = PythonTask(name="list", function=lambda: [1, 2], returns=["chunks"])
    return pipeline(items, turns)


def on_failure() -> Pipeline:
    fragile = task("fragile")
    fragile.on_failure = Pipeline(steps=[task("recover")])
    fails = task("fails", terminate_with_failure=True)
    unlikely = task("unlikely")
    unlikely.on_failure = Pipeline(steps=[fails])
    return pipeline(fragile, unlikely, task("last"))


def everything() -> Pipeline:
    return pipeline(
        task("plain", secrets=["TOKEN"], catalog=Catalog(put=["*.csv"])),
        task("heavy", overrides={"argo": "gpu"}, retries=2),
        mapped_step(),
    )


def mapped_step() -> Map:
    branch = task("fit", overrides={"argo": "gpu"}, secrets=["TOKEN"]).as_pipeline()
    return Map(name="m", branch=branch, iterate_on="xs", iterate_as="x")


PARAMETERS = {"xs": [1, 2], "rate": 0.5, "text": "hello {{workflow.name}}"}
USUAL = {
    "defaults": {"image": "flows:1"},
    "argo_workflow": {"metadata": {"generate_name": "flow-"}},
    "pvc_for_runnable": "stores",
}
ALL = {
    "defaults": {
        "image": "flows:1",
        "imagePullPolicy": "IfNotPresent",
        "activeDeadlineSeconds": 3600,
        "nodeSelector": {"pool": "small"},
        "parallelism": 4,
        "retryStrategy": {"limit": 2, "backoff": {"duration": "10s"}},
        "tolerations": [{"key": "spot", "operator": "Exists"}],
        "resources": {"limits": {"memory": "2Gi", "cpu": 1}},
        "env": [
            {"name": "PLAIN", "value": "$(not replaced) $$"},
            {"environment_variable": "A", "secret_name": "s", "secret_key": "a"},
            {"name": "B", "secretName": "s", "secretKey": "b"},
        ],
    },
    "overrides": {
        "gpu": {
            "image": "flows:gpu",
            "timeout": "1h",
            "resources": {"limits": {"gpu": 1}},
            "env": [{"name": "PLAIN", "value": "other"}],
        }
    },
    "argoWorkflow": {
        "metadata": {
            "generateName": "flow-",
            "namespace": "ml",
            "labels": {"team": "ours"},
            "annotations": {"about": "tests"},
        },
        "spec": {
            "serviceAccountName": "runner",
            "parallelism": 10,
            "podGC": {"strategy": "OnPodCompletion"},
            "ttlStrategy": {"secondsAfterCompletion": 3600},
            "imagePullSecrets": [{"name": "registry"}],
            "securityContext": {"runAsUser": 1000},
            "tolerations": [{"key": "k", "value": "v", "effect": "NoSchedule"}],
        },
    },
    "pvcForRunnable": "stores",
    "customVolumes": [
        {
            "mountPath": "/data",
            "persistentVolumeClaim": {"claimName": "data", "readOnly": True},
        }
    ],
    "secretFromK8s": "ours",
    "configmap_cache_name": "cache",
    "log_level": "DEBUG",
}
NIGHTLY = {
    **USUAL,
    "cron_schedule": {"schedules": ["0 3 * * *"], "timezone": "UTC"},
    "expose_parameters_as_inputs": False,
}
SHAPES = {
    "sequential": (sequential, USUAL),
    "parallel": (parallel, USUAL),
    "mapped": (mapped, USUAL),
    "conditional": (conditional, USUAL),
    "loop": (loop, USUAL),
    "on_failure": (on_failure, USUAL),
    "everything": (everything, ALL),
    "nightly": (sequential, NIGHTLY),
}
