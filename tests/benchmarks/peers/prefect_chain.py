"""Prefect 3, with the server that it starts by itself."""

import time

from measured import main
from prefect import flow, task


def make(count, pause):
    @task
    def work(x):
        if pause:
            time.sleep(pause)
            return x
        return x + 1

    @flow
    def chain(x):
        for _ in range(count):
            x = work(x)
        return x

    return chain


main(make)
