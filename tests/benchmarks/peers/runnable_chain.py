"""This library; the store and the catalog are those that `STORE` names."""

import os
import time

from measured import main

from runnable import Pipeline, PythonTask

NONE = {"type": "do-nothing"}
SERVICES = {
    "memory": {"run_log_store": {"type": "memory"}, "catalog": NONE, "secrets": NONE},
    "files": {"run_log_store": {"type": "file-system"}, "catalog": NONE},
    "default": {},
}[os.environ.get("STORE", "default")]


def add(x):
    return x + 1


def make(count, pause):
    def wait(x):
        time.sleep(pause)
        return x

    function = wait if pause else add
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
