"""Dask delayed, with its scheduler in this thread; records nothing."""

import time

import dask
from measured import main


def make(count, pause):
    def work(x):
        if pause:
            time.sleep(pause)
            return x
        return x + 1

    def run(value):
        for _ in range(count):
            value = dask.delayed(work)(value)
        return value.compute(scheduler="synchronous")

    return run


main(make)
