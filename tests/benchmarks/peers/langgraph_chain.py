"""LangGraph with a checkpointer: in memory, or SQLite if `STORE` says so."""

import os
import sqlite3
import tempfile
import time
import uuid
from typing import TypedDict

from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from measured import main


class Values(TypedDict):
    x: int


def saver():
    if os.environ.get("STORE") != "sqlite":
        return InMemorySaver()
    from langgraph.checkpoint.sqlite import SqliteSaver

    file = f"{tempfile.mkdtemp()}/checkpoints.sqlite"
    return SqliteSaver(sqlite3.connect(file, check_same_thread=False))


def make(count, pause):
    def work(values):
        if pause:
            time.sleep(pause)
            return {"x": values["x"]}
        return {"x": values["x"] + 1}

    builder = StateGraph(Values)
    names = [f"s{number}" for number in range(count)]
    for name in names:
        builder.add_node(name, work)
    for one, two in zip([START, *names], [*names, END], strict=True):
        builder.add_edge(one, two)
    graph = builder.compile(checkpointer=saver())

    def run(value):
        thread = {"configurable": {"thread_id": uuid.uuid4().hex}}
        return graph.invoke({"x": value}, {**thread, "recursion_limit": 5000})["x"]

    return run


main(make)
