"""Dagster, in this process, with an instance that lives as long as the run."""

import logging

from dagster import Config, job, op
from measured import adding, main

logging.disable(logging.CRITICAL)


class Given(Config):
    x: int = 0


def make(count, pause):
    @op
    def start(config: Given):
        return config.x

    work = op(adding(pause))

    @job
    def chain():
        x = start()
        for number in range(count):
            x = work.alias(f"s{number}")(x)

    def run(value):
        quiet = {"console": {"config": {"log_level": "CRITICAL"}}}
        given = {"ops": {"start": {"config": {"x": value}}}, "loggers": quiet}
        done = chain.execute_in_process(run_config=given)
        return done.output_for_node(f"s{count - 1}")

    return run


main(make)
