"""This library; the store and the catalog are those that `STORE` names."""

import os

from measured import adding, main

from runnable import Pipeline, PythonTask

NONE = {"type": "do-nothing"}
SERVICES = {
    "memory": {"run_log_store": {"type": "memory"}, "catalog": NONE, "secrets": NONE},
    "files": {"run_log_store": {"type": "file-system"}, "catalog": NONE},
    "default": {},
}[os.environ.get("STORE", "default")]


def make(count, pause):
    function = adding(pause)
    steps = [
        PythonTask(name=f"s{number}", function=function, returns=["x"])
        for number in range(count)
    ]
    pipeline = Pipeline(steps=steps)

    def run(value):
        run_log = pipeline.execute(parameters={"x": value}, services=SERVICES)
        return run_log.parameters["x"].value

    return run


main(make)
