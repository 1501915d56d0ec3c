"""Which secrets other processes are sent: those that tasks declare, and no others."""

from runnable import Parallel, Pipeline, PythonTask
from runnable.context import PipelineContext
from runnable.engine.declared_secrets import secrets_of
from runnable.graph import tasks_of


def task(name, *secrets):
    return PythonTask(name=name, function=print, secrets=list(secrets))


def test_those_of_all_branches_that_are_known(monkeypatch):
    monkeypatch.setenv("ONE", "first-secret")
    monkeypatch.setenv("TWO", "second-secret")
    monkeypatch.setenv("OTHER", "nobody-asks")
    inner = Parallel(name="p", branches={"a": task("t", "TWO").as_pipeline()})
    graph = Pipeline(steps=[task("s", "ONE", "MISSING"), inner]).return_dag()
    context = PipelineContext(run_log_store={"type": "memory"})
    found = secrets_of(tasks_of([graph, graph]), context)
    assert found == {"ONE": "first-secret", "TWO": "second-secret"}
    assert context.masker.text("it is second-secret") == "it is ***"


def test_equal_graphs_are_looked_at_once():
    graph = Pipeline(steps=[task("s")]).return_dag()
    assert [it.name for it in tasks_of([graph, graph])] == ["s"]
