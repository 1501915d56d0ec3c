"""Checks of a workflow beyond its schema.

A manifest that this library writes has none of this, whatever the pipeline is; a
finding is a defect of this library, and nothing is written then.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from runnable.errors import ConfigurationError

Document = Mapping[str, Any]

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_REFERENCE = re.compile(r"\{\{(.*?)\}\}")
_TERM = re.compile(r"([a-z0-9][-a-z0-9]*)\.(\w+)")
_RESULTS = {
    *("Succeeded", "Failed", "Errored", "Skipped", "Omitted", "Daemoned"),
    *("AnySucceeded", "AllFailed"),
}
_OF_THE_WORKFLOW = {"workflow.name", "workflow.uid", "workflow.status", "item"}


def check_workflow(document: Document) -> None:
    """Refuse a workflow that Argo could not run.

    Args:
        document: The workflow, or what starts it on a schedule.

    Raises:
        ConfigurationError: If something is wrong; all findings are listed.
    """
    findings = [*find_problems(document)]
    if findings:
        listed = "".join(f"\n    {it}" for it in findings)
        raise ConfigurationError(
            f"the workflow is not valid, which is a defect of this library:{listed}"
        )


def find_problems(document: Document) -> Iterator[str]:
    """Yield what is wrong with a workflow: names, references and dependencies.

    Args:
        document: The workflow, or what starts it on a schedule.
    """
    spec: Document = document["spec"].get("workflowSpec") or document["spec"]
    templates: Sequence[Document] = spec["templates"]
    names = [it["name"] for it in templates]
    yield from _of_names("template", names)
    for key in ("entrypoint", "onExit"):
        if spec.get(key) not in {*names, None}:
            yield f"{key}: there is no template {spec[key]!r}"
    arguments = {it["name"] for it in spec["arguments"]["parameters"]}
    volumes = {it["name"] for it in spec.get("volumes", [])}
    known = {it["name"]: it for it in templates}
    for template in templates:
        inputs = {it["name"] for it in _parameters(template.get("inputs"))}
        yield from _of_references(template, arguments, inputs)
        yield from _of_volumes(template, volumes)
        if "dag" in template:
            yield from _of_dag(template, known)


def _parameters(group: Document | None) -> Sequence[Document]:
    return cast("Sequence[Document]", (group or {}).get("parameters") or [])


def _of_names(kind: str, names: Sequence[str]) -> Iterator[str]:
    for name in sorted(set(names)):
        if names.count(name) > 1:
            yield f"{kind} {name!r} is there more than once"
        if not _NAME.fullmatch(name):
            yield f"{kind} {name!r} is no name for Argo"


def _of_references(
    template: Document, arguments: set[str], inputs: set[str]
) -> Iterator[str]:
    dag: Document = template.get("dag") or {}
    tasks = {it["name"] for it in dag.get("tasks", [])}
    for text in _texts(template):
        for reference in _REFERENCE.findall(text):
            words = reference.strip().split(".")
            is_known = (
                reference.startswith("=")
                or reference in _OF_THE_WORKFLOW
                or (words[:2] == ["workflow", "parameters"] and words[2] in arguments)
                or (words[:2] == ["inputs", "parameters"] and words[2] in inputs)
                or (words[0] == "tasks" and words[1] in tasks)
            )
            if not is_known:
                where = template["name"]
                yield f"template {where!r} refers to {reference!r}, which is not there"


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for it in cast("Mapping[str, object]", value).values():
            yield from _texts(it)
    elif isinstance(value, list):
        for it in cast("list[object]", value):
            yield from _texts(it)


def _of_volumes(template: Document, volumes: set[str]) -> Iterator[str]:
    container: Document = template.get("container") or {}
    for it in container.get("volumeMounts", []):
        if it["name"] not in volumes:
            yield f"template {template['name']!r} mounts {it['name']!r}, no volume"


def _of_dag(template: Document, known: Mapping[str, Document]) -> Iterator[str]:
    where, dag = f"template {template['name']!r}", template["dag"]
    tasks: dict[str, Document] = {it["name"]: it for it in dag["tasks"]}
    yield from _of_names(f"{where}: task", [it["name"] for it in dag["tasks"]])
    for name in dag.get("target", "").split():
        if name not in tasks:
            yield f"{where}: there is no task {name!r}, its target"
    depends = {name: _dependencies(it) for name, it in tasks.items()}
    for name, task in tasks.items():
        yield from _of_task(f"{where}, task {name!r}", task, tasks, known)
        if name in _all_before(name, depends):
            yield f"{where}: task {name!r} depends on itself"


def _of_task(
    where: str,
    task: Document,
    tasks: Mapping[str, Document],
    known: Mapping[str, Document],
) -> Iterator[str]:
    template = known.get(task["template"])
    if template is None:
        yield f"{where}: there is no template {task['template']!r}"
        return
    given = {it["name"] for it in _parameters(task.get("arguments"))}
    wanted = {it["name"] for it in _parameters(template.get("inputs"))}
    if given != wanted:
        yield f"{where} gives {sorted(given)}, but {sorted(wanted)} is wanted"
    for name, result in _TERM.findall(task.get("depends", "")):
        if name not in tasks or result not in _RESULTS:
            yield f"{where} depends on {name}.{result}, which is not there"
    for reference in _REFERENCE.findall(
        task.get("when", "") + task.get("withParam", "")
    ):
        if reference.startswith("tasks.") and not _gives(reference, task, tasks, known):
            yield f"{where} refers to {reference!r}, which no task before it gives"


def _gives(
    reference: str,
    task: Document,
    tasks: Mapping[str, Document],
    known: Mapping[str, Document],
) -> bool:
    words, before = reference.split("."), _dependencies(task)
    if words[1] not in before or words[1] not in tasks:
        return False
    template: Document = known.get(tasks[words[1]]["template"], {})
    return words[-1] in {it["name"] for it in _parameters(template.get("outputs"))}


def _dependencies(task: Document) -> set[str]:
    return {name for name, _ in _TERM.findall(task.get("depends", ""))}


def _all_before(name: str, depends: Mapping[str, set[str]]) -> set[str]:
    found: set[str] = set()
    waiting = [*depends.get(name, ())]
    while waiting:
        it = waiting.pop()
        if it not in found:
            found.add(it)
            waiting.extend(depends.get(it, ()))
    return found
