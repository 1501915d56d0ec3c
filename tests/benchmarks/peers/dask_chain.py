"""Dask delayed, with its scheduler in this thread; records nothing."""

import dask
from measured import adding, main


def make(count, pause):
    work = adding(pause)

    def run(value):
        for _ in range(count):
            value = dask.delayed(work)(value)
        return value.compute(scheduler="synchronous")

    return run


main(make)
