"""Pipelines for steps in containers, as text of a module `flow`."""

HEADER = """
import os, sys, time
from pathlib import Path
from runnable import *

def of(*steps):
    return Pipeline(steps=list(steps), reference="flow:build")
"""

EVERYTHING = """
def prepare():
    print("prepared in", os.getpid())
    return [1, 2, 3]

def double(x):
    return 2 * x

def collect(doubled):
    Path("total.txt").write_text(str(sum(doubled)))
    return sum(doubled), {"many": set(doubled)}

def use(total, thing):
    print("standard error", file=sys.stderr)
    return int(Path("total.txt").read_text()) + len(thing["many"]) + total

def build():
    branch = PythonTask(name="s", function=double, returns=["doubled"]).as_pipeline()
    return of(
        PythonTask(name="prepare", function=prepare, returns=["xs"]),
        Map(name="m", branch=branch, iterate_on="xs", iterate_as="x"),
        PythonTask(
            name="collect", function=collect, returns=["total", pickled("thing")],
            catalog=Catalog(put=["total.txt"]),
            overrides={"local-container": "tmp", "kubernetes": "tmp"},
        ),
        PythonTask(
            name="use", function=use, returns=["end"],
            catalog=Catalog(get=["total.txt"]),
            overrides={"local-container": "tmp", "kubernetes": "tmp"},
        ),
    )
"""
