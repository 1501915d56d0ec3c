"""Kedro, with data in memory; records nothing."""

import logging

from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import node, pipeline
from kedro.runner import SequentialRunner
from measured import adding, main

logging.disable(logging.CRITICAL)


def make(count, pause):
    work = adding(pause)
    steps = [node(work, f"x{it}", f"x{it + 1}", name=f"s{it}") for it in range(count)]
    chain = pipeline(steps)

    def run(value):
        catalog = DataCatalog({"x0": MemoryDataset(value)})
        found = SequentialRunner().run(chain, catalog)[f"x{count}"]
        return found.load() if hasattr(found, "load") else found

    return run


main(make)
