"""Prefect 3, with the server that it starts by itself."""

from measured import adding, main
from prefect import flow, task


def make(count, pause):
    work = task(adding(pause))

    @flow
    def chain(x):
        for _ in range(count):
            x = work(x)
        return x

    return chain


main(make)
