"""Run a workflow of Argo here: what its containers would run, in the order Argo would.

The rules are those of Argo's controller, as its documentation and its source have them:
what `{{...}}` stands for, `depends`, `when`, `withParam`, `failFast`, `target`,
`retryStrategy`, recursion and the exit handler; what becomes of a DAG follows from its
target tasks, where a task that was omitted counts as what was before it. A container is
a process: `runnable` is that of this environment, claims are folders, the keys of a
Secret are given. Kubernetes' own rule for `$(NAME)` holds as well.
"""

import json
import os
import re
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SUCCEEDED, FAILED, ERROR = "Succeeded", "Failed", "Error"
SKIPPED, OMITTED = "Skipped", "Omitted"
_DONE = {SUCCEEDED, FAILED, ERROR}
_REFERENCE = re.compile(r"\{\{(.*?)\}\}")
_EXPANSION = re.compile(r"\$(?:(\$)|\(([^)]*)\))")
_WHEN = re.compile(r"'(.*)' (==|!=) '(.*)'", re.DOTALL)
_TERM = re.compile(r"([A-Za-z0-9][-A-Za-z0-9]*)(?:\.(\w+))?")


class ArgoError(Exception):
    """Argo would call it an error of the workflow."""


@dataclass
class Node:
    """A template that was run."""

    name: str
    template: str
    phase: str = ""
    outputs: dict[str, str] = field(default_factory=dict)
    status: int | None = None
    """The exit status of its pod, if it was one."""
    parts: list[str] = field(default_factory=list)
    """The phases of what it was expanded to, if it was."""


@dataclass
class Pod:
    """A container that was run."""

    template: str
    command: list[str]
    environment: dict[str, str]
    status: int
    said: str


class Interpreter:
    """Runs one workflow.

    Args:
        manifest: The workflow.
        folder: Where processes work.
        claims: The folder of each persistent volume claim.
        secrets: The keys and values of each Secret.
        arguments: Those of `argo submit -p`.
        slots: How many processes at once.
        doomed: Called with a template's name, says whether its pod does not start.
    """

    def __init__(
        self,
        manifest: Mapping[str, Any],
        folder: Path,
        claims: Mapping[str, str] = {},
        secrets: Mapping[str, Mapping[str, str]] = {},
        arguments: Mapping[str, str] = {},
        slots: int = 3,
        doomed: Callable[[str], bool] = lambda _: False,
    ) -> None:
        metadata = manifest["metadata"]
        self.spec = manifest["spec"].get("workflowSpec") or manifest["spec"]
        self.uid = str(uuid.uuid4())
        self.name = (metadata.get("generateName") or metadata["name"]) + self.uid[:5]
        self.pods: list[Pod] = []
        self.nodes: list[Node] = []
        self.phase = ""
        self._folder, self._claims, self._secrets = folder, claims, secrets
        self._doomed = doomed
        self._templates = {it["name"]: it for it in self.spec["templates"]}
        self._slots = threading.Semaphore(slots)
        given = {
            it["name"]: it.get("value", "")
            for it in self.spec["arguments"]["parameters"]
        }
        unknown = set(arguments) - set(given)
        assert not unknown, f"the workflow has no arguments {unknown}"
        self._globals = {
            "workflow.name": self.name,
            "workflow.uid": self.uid,
            **{
                f"workflow.parameters.{name}": str(it)
                for name, it in {**given, **arguments}.items()
            },
        }

    def run(self) -> str:
        """Run it to its end, and return its phase."""
        root = self._template(self.spec["entrypoint"], self.spec["entrypoint"], {})
        self.phase = root.phase
        if handler := self.spec.get("onExit"):
            self._globals["workflow.status"] = self.phase
            ended = self._template(f"{self.name}.onExit", handler, {})
            if self.phase == SUCCEEDED and ended.phase != SUCCEEDED:
                self.phase = ended.phase
        return self.phase

    def _template(self, name: str, template: str, inputs: Mapping[str, str]) -> Node:
        if template not in self._templates:
            raise ArgoError(f"there is no template {template!r}")
        content = self._templates[template]
        wanted = {it["name"] for it in content.get("inputs", {}).get("parameters", [])}
        if wanted - set(inputs):
            raise ArgoError(f"inputs.parameters of {template} were not supplied")
        node = Node(name, template)
        self.nodes.append(node)
        values = {f"inputs.parameters.{it}": inputs[it] for it in wanted}
        try:
            if "dag" in content:
                node.phase = self._dag(name, content, values)
            else:
                self._pod_with_retries(node, content, values)
        except ArgoError as error:
            node.phase = ERROR
            print(f"{name}: {error}", file=sys.stderr)
        return node

    # DAGs

    def _dag(self, name: str, template: Mapping, values: Mapping[str, str]) -> str:
        limit = template.get("parallelism") or self.spec.get("parallelism") or 50
        run = _Dag(self, name, template, values, limit)
        return run.run()

    # Pods

    def _pod_with_retries(
        self, node: Node, template: Mapping, values: Mapping[str, str]
    ) -> None:
        strategy = template.get("retryStrategy") or {}
        for _ in range(int(strategy.get("limit", 0)) + 1):
            node.phase = self._pod(node, template, values)
            if node.phase == SUCCEEDED:
                return
            if node.phase == ERROR and strategy.get("retryPolicy") == "OnFailure":
                return
            if node.phase == FAILED and not _is_worth_it(strategy, node.status):
                return

    def _pod(self, node: Node, template: Mapping, values: Mapping[str, str]) -> str:
        # The cache is empty, so what is remembered is nothing.
        visible = {key: it for key, it in template.items() if key != "memoize"}
        made = json.loads(self._replaced(json.dumps(visible), values))
        container = made["container"]
        if self._doomed(node.template):
            return ERROR
        outputs = self._folder / f".outputs-{uuid.uuid4().hex}"
        outputs.mkdir()
        folders = self._mounted(container, outputs)
        environment = self._environment(container, folders)
        command = [_expanded(it, environment) for it in container["command"]]
        here = [_mapped(it, folders) for it in command]
        assert here[0] == "runnable"
        inherited = {
            name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ
        }
        with self._slots:
            done = subprocess.run(
                [sys.executable, "-m", "runnable.cli", *here[1:]],
                cwd=self._folder,
                env={**inherited, **environment},
                check=False,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=120,
            )
        self.pods.append(
            Pod(node.template, command, environment, done.returncode, done.stdout)
        )
        node.status = done.returncode
        if done.returncode:
            return FAILED
        for it in made.get("outputs", {}).get("parameters", []):
            file = _mapped(it["valueFrom"]["path"], folders)
            try:
                node.outputs[it["name"]] = Path(file).read_text()
            except FileNotFoundError:
                print(f"{node.name}: no output {it['name']}", file=sys.stderr)
                return ERROR
        return SUCCEEDED

    def _mounted(self, container: Mapping, outputs: Path) -> dict[str, str]:
        volumes = {it["name"]: it for it in self.spec.get("volumes", [])}
        found = {}
        for mount in container.get("volumeMounts", []):
            volume = volumes[mount["name"]]
            if "emptyDir" in volume:
                found[mount["mountPath"]] = str(outputs)
            else:
                claim = volume["persistentVolumeClaim"]["claimName"]
                found[mount["mountPath"]] = self._claims[claim]
        return found

    def _environment(
        self, container: Mapping, folders: Mapping[str, str]
    ) -> dict[str, str]:
        made: dict[str, str] = {}
        for it in container.get("env", []):
            if "valueFrom" in it:
                key = it["valueFrom"]["secretKeyRef"]
                try:
                    made[it["name"]] = self._secrets[key["name"]][key["key"]]
                except KeyError:
                    raise ArgoError(f"CreateContainerConfigError: {key}") from None
                continue
            value = _expanded(it.get("value", ""), made)
            if it["name"] == "RUNNABLE_SERVICE_OPTIONS":
                value = _mapped(value, folders)
            made[it["name"]] = value
        return made

    def _replaced(self, text: str, values: Mapping[str, str]) -> str:
        """Replace references in the JSON of something, as Argo does."""
        known = {**self._globals, **values}

        def replace(match: re.Match[str]) -> str:
            name = match[1].strip()
            if name.startswith("="):
                raise ArgoError(f"expressions are not known here: {name}")
            if name not in known:
                raise ArgoError(f"failed to resolve {{{{{name}}}}}")
            return json.dumps(known[name])[1:-1]

        return _REFERENCE.sub(replace, text)


class _Dag:
    def __init__(
        self,
        owner: Interpreter,
        name: str,
        template: Mapping,
        values: Mapping[str, str],
        limit: int,
    ) -> None:
        self._owner, self._name, self._values = owner, name, values
        dag = template["dag"]
        self._fails_fast = dag.get("failFast", True)
        self._tasks = {it["name"]: it for it in dag["tasks"]}
        self._before = {
            name: [t for t, _ in _TERM.findall(it.get("depends", ""))]
            for name, it in self._tasks.items()
        }
        needed = {it for names in self._before.values() for it in names}
        leaves = [it for it in self._tasks if it not in needed]
        self._targets = dag.get("target", "").split() or leaves
        self._limit = limit
        self._nodes: dict[str, Node] = {}

    def run(self) -> str:
        running: dict[Any, str] = {}
        with ThreadPoolExecutor(50) as pool:
            while True:
                for name in self._ready(set(running.values())):
                    running[pool.submit(self._task, name)] = name
                if not running:
                    break
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    self._nodes[running.pop(future)] = future.result()
        return self._assessed()

    def _ready(self, running: set[str]) -> list[str]:
        failed = any(it.phase in {FAILED, ERROR} for it in self._nodes.values())
        ready = []
        for name in self._tasks:
            if name in self._nodes or name in running:
                continue
            if all(it in self._nodes for it in self._before[name]):
                if self._fails_fast and failed and not self._before[name]:
                    continue
                ready.append(name)
        return ready

    def _task(self, name: str) -> Node:
        task = self._tasks[name]
        where = f"{self._name}.{name}"
        depends = task.get("depends", "")
        if depends and not self._evaluated(depends):
            return Node(where, task["template"], OMITTED)
        outputs = {
            f"tasks.{before}.outputs.parameters.{key}": value
            for before in self._all_before(name)
            for key, value in self._nodes[before].outputs.items()
        }
        items = "withParam" in task
        visible = {**self._values, **outputs}
        if items:
            visible["item"] = "{{item}}"
        try:
            made = json.loads(self._owner._replaced(json.dumps(task), visible))
            if items:
                return self._expanded(where, made)
            return self._one(where, made)
        except ArgoError as error:
            print(f"{where}: {error}", file=sys.stderr)
            return Node(where, task["template"], ERROR)

    def _expanded(self, where: str, task: Mapping) -> Node:
        try:
            items = json.loads(task["withParam"])
        except ValueError:
            raise ArgoError(f"withParam is no JSON list: {task['withParam']}") from None
        text = json.dumps({key: it for key, it in task.items() if key != "withParam"})
        node = Node(where, task["template"], SUCCEEDED if items else SKIPPED)

        def run(number: int, item: object) -> Node:
            shown = item if isinstance(item, str) else json.dumps(item)
            made = json.loads(text.replace("{{item}}", json.dumps(shown)[1:-1]))
            return self._one(f"{where}({number}:{shown})", made)

        with ThreadPoolExecutor(self._limit) as pool:
            ended = list(pool.map(run, range(len(items)), items))
        node.parts = [it.phase for it in ended]
        for it in ended:
            if it.phase in {FAILED, ERROR}:
                node.phase = it.phase
        return node

    def _one(self, where: str, task: Mapping) -> Node:
        if not _holds(task.get("when", "")):
            return Node(where, task["template"], SKIPPED)
        parameters = task.get("arguments", {}).get("parameters", [])
        inputs = {it["name"]: it["value"] for it in parameters}
        return self._owner._template(where, task["template"], inputs)

    def _all_before(self, name: str) -> set[str]:
        found, waiting = set(), [*self._before[name]]
        while waiting:
            it = waiting.pop()
            if it not in found:
                found.add(it)
                waiting += self._before[it]
        return found

    def _evaluated(self, depends: str) -> bool:
        def value(match: re.Match[str]) -> str:
            phase, parts = self._nodes[match[1]].phase, self._nodes[match[1]].parts
            results = {
                "Succeeded": phase == SUCCEEDED,
                "Failed": phase == FAILED,
                "Errored": phase == ERROR,
                "Skipped": phase == SKIPPED,
                "Omitted": phase == OMITTED,
                "Daemoned": False,
                "AnySucceeded": SUCCEEDED in parts,
                "AllFailed": bool(parts) and set(parts) == {FAILED},
            }
            if match[2] is None:
                return str(results["Succeeded"] or results["Skipped"])
            return str(results[match[2]])

        text = _TERM.sub(value, depends).replace("||", " or ").replace("&&", " and ")
        assert re.fullmatch(r"[()\s]*((True|False|and|or)[()\s]*)+", text), text
        return bool(eval(text))  # noqa: S307 - checked just now

    def _assessed(self) -> str:
        """Return the phase that follows from those of the targets."""
        phases = [self._inherited(it) for it in self._targets]
        return next((it for it in phases if it in {FAILED, ERROR}), SUCCEEDED)

    def _inherited(self, name: str) -> str:
        phase = self._nodes[name].phase
        if phase in _DONE:
            return phase
        before = [self._inherited(it) for it in self._before[name]]
        return next((it for it in before if it in {FAILED, ERROR}), SUCCEEDED)


def _is_worth_it(strategy: Mapping, status: int | None) -> bool:
    expression = strategy.get("expression")
    if expression is None:
        return True
    match = re.fullmatch(r"lastRetry\.exitCode != '(\d+)'", expression)
    assert match, f"expressions are not known here: {expression}"
    return status != int(match[1])


def _holds(when: str) -> bool:
    if not when:
        return True
    match = _WHEN.fullmatch(when)
    if match is None:
        raise ArgoError(f"invalid 'when' expression {when!r}")
    return (match[1] == match[3]) == (match[2] == "==")


def _expanded(text: str, known: Mapping[str, str]) -> str:
    """Replace `$(NAME)` as Kubernetes does; `$$` is a `$`."""

    def replace(match: re.Match[str]) -> str:
        if match[1]:
            return "$"
        return known.get(match[2], match[0])

    return _EXPANSION.sub(replace, text)


def _mapped(text: str, folders: Mapping[str, str]) -> str:
    for there, here in folders.items():
        text = text.replace(f"{there}/", f"{here}/")
    return text
