"""A pipeline as a workflow of Argo.

Theory of operation. A sequence of steps is a template with a DAG: which step follows is
in `depends`. A step with branches is a DAG as well: a pod begins the branches (`fan
out`) and says by number which ones there are, each branch is a DAG, and a pod records
what they came to (`fan in`). A loop starts itself again. No value of the run is in the
workflow but parameters that it starts with: what Argo passes on are numbers.

A DAG in which a failure has consequences ends with a pod of its own, which always runs
and fails if the branch has: Argo itself would count the failed step.
"""

# The types of yaml leave out what is represented.
# pyright: reportUnknownMemberType=false

import io
import logging
import re
from collections.abc import Iterator

import yaml
from hera.workflows import models as m

from runnable.errors import ConfigurationError
from runnable.executor.argo.checks import check_workflow
from runnable.executor.argo.containers import (
    Containers,
    Place,
    json_of,
    tolerations,
    volumes,
)
from runnable.executor.argo.names import Labels
from runnable.executor.argo.settings import NAME, ArgoSettings, WorkflowSpec
from runnable.executor.execution import RenderRequest
from runnable.executor.mounts import Mount
from runnable.graph import (
    BranchNames,
    CompositeNode,
    ConditionalNode,
    FailNode,
    Graph,
    LoopNode,
    MapNode,
    Node,
    StepNode,
    TaskNode,
    join,
)

logger = logging.getLogger(__name__)

_LIKE_A_NUMBER = re.compile(r"[-+.0-9]")
_DEEPEST = 100
"""How deep templates may be in each other, unless Argo is configured otherwise."""
ENTRYPOINT = "runnable-dag"
EXIT = "runnable-exit"
_OUTPUTS = {"map": "iterate-on", "conditional": "case", "loop": "iteration"}
"""The outputs of the pods that begin branches, by the type of their step."""
_ANY_END = ("Succeeded", "Failed", "Errored", "Skipped", "Omitted")


def workflow_text(
    request: RenderRequest, settings: ArgoSettings, mounts: list[Mount]
) -> str:
    """Return the text of the workflow of a pipeline.

    Args:
        request: The run.
        settings: Those of the executor.
        mounts: The folders of the stores.

    Raises:
        ConfigurationError: If Argo cannot run it with these settings.
    """
    content = json_of(_Workflow(request, settings, mounts).make())
    check_workflow(content)
    with io.StringIO() as file:
        dumper = _Dumper(file, sort_keys=False, allow_unicode=True, width=100)
        dumper.open()
        dumper.represent(content)
        dumper.close()
        return file.getvalue()


class _Dumper(yaml.SafeDumper):
    """Quotes what other programs would read as a number: YAML has several versions."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    if _LIKE_A_NUMBER.match(text):
        return yaml.ScalarNode("tag:yaml.org,2002:str", text, style='"')
    return yaml.SafeDumper.represent_str(dumper, text)


_Dumper.add_representer(str, _text)


class _Workflow:
    def __init__(
        self, request: RenderRequest, settings: ArgoSettings, mounts: list[Mount]
    ) -> None:
        self._request = request
        self._settings = settings
        self._containers = Containers(request, settings, mounts)
        self._labels = Labels()
        self._templates: list[m.Template] = []

    def make(self) -> m.Workflow | m.CronWorkflow:
        """Return the workflow; with a schedule, what starts it."""
        self._labels.new(ENTRYPOINT)
        self._labels.new(EXIT)
        self._graph(self._request.graph, Place(""), ENTRYPOINT)
        self._exit_handler()
        metadata = self._settings.argo_workflow.metadata
        about = m.ObjectMeta(
            generate_name=metadata.generate_name,
            namespace=metadata.namespace,
            labels=metadata.labels or None,
            annotations=metadata.annotations or None,
        )
        spec, schedule = self._spec(), self._settings.cron_schedule
        version = "argoproj.io/v1alpha1"
        if schedule is None:
            return m.Workflow(
                api_version=version, kind="Workflow", metadata=about, spec=spec
            )
        about.name, about.generate_name = metadata.generate_name.rstrip("-"), None
        cron = m.CronWorkflowSpec(
            schedules=schedule.schedules,
            timezone=schedule.timezone,
            concurrency_policy=schedule.concurrency_policy,
            workflow_spec=spec,
        )
        return m.CronWorkflow(
            api_version=version, kind="CronWorkflow", metadata=about, spec=cron
        )

    def _spec(self) -> m.WorkflowSpec:
        settings = self._settings.argo_workflow.spec
        resumed = self._request.resumed
        arguments = {
            **self._containers.exposed(),
            "run_id": resumed,
            "retry_run_id": resumed,
            "retry_indicator": "",
            "log_level": self._settings.log_level,
        }
        spec = m.WorkflowSpec(
            entrypoint=ENTRYPOINT,
            on_exit=EXIT,
            arguments=m.Arguments(
                parameters=[
                    m.Parameter(name=name, value=it) for name, it in arguments.items()
                ]
            ),
            active_deadline_seconds=settings.active_deadline_seconds,
            node_selector=settings.node_selector or None,
            parallelism=settings.parallelism,
            service_account_name=settings.service_account_name or None,
            tolerations=tolerations(settings.tolerations),
            templates=self._templates,
            volumes=volumes(self._settings),
        )
        _hand_on(settings, spec)
        return spec

    def _exit_handler(self) -> None:
        """Add what records the end of a run whose pods could not."""
        name = self._labels.new("end-run")
        task = m.DAGTask(
            name=name, template=name, when="'{{workflow.status}}' != 'Succeeded'"
        )
        self._add_dag(EXIT, [task], Place(""), fail_fast=False)
        self._templates.append(self._containers.end(name, Place("")))

    def _graph(self, graph: Graph, place: Place, name: str) -> None:
        """Add the templates of a graph: its DAG, and what is in it."""
        steps = [*_steps(graph)]
        names = {it.name: self._label(join(place.path, it.name)) for it in steps}
        tasks = [
            m.DAGTask(
                name=names[it.name],
                template=names[it.name],
                arguments=_arguments(place),
                depends=" || ".join(_before(it, steps, names)) or None,
            )
            for it in steps
        ]
        end = ""
        if _failure_matters(graph, steps) or not steps:
            end = self._label(join(place.path, "end"))
            last = [names[it.name] for it in steps if it.next_node not in names]
            depends = " && ".join(_ended(it) for it in last)
            tasks.append(
                m.DAGTask(
                    name=end,
                    template=end,
                    arguments=_arguments(place),
                    depends=depends or None,
                )
            )
        fail_fast = self._settings.defaults.fail_fast and not end
        self._add_dag(name, tasks, place, fail_fast=fail_fast, target=end)
        for it in steps:
            self._step(it, place, names[it.name])
        if end:
            self._templates.append(self._containers.end(end, place))

    def _add_dag(
        self,
        name: str,
        tasks: list[m.DAGTask],
        place: Place,
        *,
        fail_fast: bool,
        target: str = "",
        parallelism: int | None = None,
    ) -> None:
        inputs = [m.Parameter(name=it) for it in place.numbers]
        dag = m.DAGTemplate(tasks=tasks, fail_fast=fail_fast, target=target or None)
        template = m.Template(name=name, dag=dag, parallelism=parallelism)
        if inputs:
            template.inputs = m.Inputs(parameters=inputs)
        self._templates.append(template)

    def _step(self, node: StepNode, place: Place, name: str) -> None:
        path = join(place.path, node.name)
        if isinstance(node, CompositeNode):
            self._composite(node, place, name, path)
            return
        task = node.task if isinstance(node, TaskNode) else None
        if limits := node.limits():
            logger.warning(
                "step %r takes %s: Argo does not hold the limits of runnable; give "
                "the workflow its own, such as a mutex or a semaphore",
                path,
                ", ".join(map(repr, limits)),
            )
        override = node.overrides.get(NAME, "")
        template = self._containers.step(name, path, place, task, override)
        self._templates.append(template)

    def _composite(
        self, node: CompositeNode, place: Place, name: str, path: str
    ) -> None:
        begin, end = self._labels.new(f"{name}-fan-out"), self._label(f"{name}-fan-in")
        begun = _OUTPUTS.get(node.node_type, "")
        tasks = [m.DAGTask(name=begin, template=begin, arguments=_arguments(place))]
        out = self._containers.fan(begin, path, place, "out", begun)
        branches = [*self._branches(node, place, name, path)]
        for task, _, _, number in branches:
            task.depends = f"{begin}.Succeeded"
            reference = f"{{{{tasks.{begin}.outputs.parameters.{begun}}}}}"
            if isinstance(node, MapNode | LoopNode):
                task.with_param = reference
            elif isinstance(node, ConditionalNode):
                task.when = f"'{reference}' == '[{number}]'"
            tasks.append(task)
        ended = [f"{begin}.Succeeded", *(_ended(it.name) for it, *_ in branches)]
        tasks.append(
            m.DAGTask(
                name=end,
                template=end,
                arguments=_arguments(place),
                depends=" && ".join(ended),
            )
        )
        goes_on = "continue" if isinstance(node, LoopNode) else ""
        if isinstance(node, LoopNode) and node.max_iterations > _DEEPEST // 2:
            logger.warning(
                "step %r: Argo ends a workflow whose templates are more than %s deep, "
                "and each iteration is one deeper; set DISABLE_MAX_RECURSION of its "
                "controller",
                path,
                _DEEPEST,
            )
        if goes_on:
            again = self._label(f"{name}-again")
            reference = f"{{{{tasks.{end}.outputs.parameters.{goes_on}}}}}"
            tasks.append(
                m.DAGTask(
                    name=again,
                    template=name,
                    arguments=_arguments(place),
                    depends=f"{end}.Succeeded",
                    when=f"'{reference}' == 'true'",
                )
            )
        limit = self._limit(node)
        self._add_dag(name, tasks, place, fail_fast=False, parallelism=limit)
        self._templates.append(out)
        for task, graph, inner, _ in branches:
            self._graph(graph, inner, str(task.template))
        fan_in = self._containers.fan(end, path, place, "in", goes_on)
        self._templates.append(fan_in)

    def _branches(
        self, node: CompositeNode, place: Place, name: str, path: str
    ) -> Iterator[tuple[m.DAGTask, Graph, Place, int]]:
        names = BranchNames()
        for number, (branch, graph) in enumerate(node.branches.items()):
            if isinstance(node, MapNode | LoopNode):
                label, own = self._label(f"{name}-branch"), f"{name}-number"
                inner = Place(join(path, branch), (*place.numbers, own), True)
                arguments = _arguments(place, {own: "{{item}}"})
            else:
                label = self._label(f"{name}-{branch}")
                inner = place._replace(path=join(path, names.name(branch)))
                arguments = _arguments(place)
            task = m.DAGTask(name=label, template=label, arguments=arguments)
            yield task, graph, inner, number

    def _limit(self, node: CompositeNode) -> int | None:
        if node.overlap.parallelism == "none":
            return 1
        return node.overlap.max_workers or self._settings.defaults.parallelism

    def _label(self, path: str) -> str:
        words = ("map_variable_placeholder.", "loop_variable_placeholder.")
        for word in words:
            path = path.replace(word, "")
        return self._labels.new(path)


def _steps(graph: Graph) -> Iterator[StepNode]:
    """Yield the steps of a graph, each after one that leads to it."""
    seen, waiting = {graph.start_at}, [graph.start_at]
    while waiting:
        node = graph.node(waiting.pop(0))
        if isinstance(node, StepNode):
            yield node
            after = dict.fromkeys([node.next_node, node.on_failure or node.next_node])
            waiting += [it for it in after if it not in seen]
            seen.update(after)


def _before(node: Node, steps: list[StepNode], names: dict[str, str]) -> Iterator[str]:
    for it in steps:
        if it.next_node == node.name:
            yield f"{names[it.name]}.Succeeded"
        if it.on_failure == node.name:
            yield f"{names[it.name]}.Failed"
            yield f"{names[it.name]}.Errored"


def _failure_matters(graph: Graph, steps: list[StepNode]) -> bool:
    """Return whether a sequence may succeed with a failed step, or fail without one."""
    after = [graph.node(it.next_node) for it in steps]
    failing = [graph.node(it.on_failure) for it in steps if it.on_failure]
    return any(isinstance(it, FailNode) for it in after) or any(
        isinstance(it, StepNode) for it in failing
    )


def _ended(task: str) -> str:
    return "(" + " || ".join(f"{task}.{it}" for it in _ANY_END) + ")"


def _arguments(place: Place, own: dict[str, str] | None = None) -> m.Arguments | None:
    values = {it: f"{{{{inputs.parameters.{it}}}}}" for it in place.numbers}
    parameters = [
        m.Parameter(name=name, value=it) for name, it in (values | (own or {})).items()
    ]
    return m.Arguments(parameters=parameters) if parameters else None


def _hand_on(settings: WorkflowSpec, spec: m.WorkflowSpec) -> None:
    """Set what is given in Argo's own spelling, checked by its models."""
    if settings.pod_gc is not None:
        spec.pod_gc = m.PodGC(**settings.pod_gc.model_dump())
    try:
        if settings.ttl_strategy is not None:
            spec.ttl_strategy = m.TTLStrategy.model_validate(settings.ttl_strategy)
        if settings.image_pull_secrets:
            spec.image_pull_secrets = [
                m.LocalObjectReference.model_validate(it)
                for it in settings.image_pull_secrets
            ]
        if settings.security_context is not None:
            context = settings.security_context
            spec.security_context = m.PodSecurityContext.model_validate(context)
        if settings.affinity is not None:
            spec.affinity = m.Affinity.model_validate(settings.affinity)
    except ValueError as error:
        raise ConfigurationError(f"argo, argo_workflow.spec: {error}") from None
