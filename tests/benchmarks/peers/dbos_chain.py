"""DBOS: durable workflows, recorded in SQLite."""

import tempfile
import time

from dbos import DBOS
from measured import main

DBOS(
    config={
        "name": "chain",
        "system_database_url": f"sqlite:///{tempfile.mkdtemp()}/state.sqlite",
        "log_level": "CRITICAL",
        "run_admin_server": False,
        "enable_otlp": False,
    }
)


@DBOS.step()
def work(x, pause):
    if pause:
        time.sleep(pause)
        return x
    return x + 1


@DBOS.workflow()
def chain(count, x, pause):
    for _ in range(count):
        x = work(x, pause)
    return x


def make(count, pause):
    return lambda value: chain(count, value, pause)


DBOS.launch()
main(make)
