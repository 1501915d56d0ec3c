"""Steps and pipelines, as authors write them.

The two refer to each other (a step may have a pipeline for its failure, and can be
turned into a pipeline of its own), so they are in one module.
"""

import abc
import contextlib
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Self, Unpack, cast

from pydantic import (
    BeforeValidator,
    ConfigDict,
    InstanceOf,
    PrivateAttr,
    SkipValidation,
    model_validator,
)

from runnable.errors import DefinitionError, did_you_mean
from runnable.graph import (
    FAIL_NODE,
    SUCCESS_NODE,
    Graph,
    StepNode,
    node_at,
    step_alone,
)
from runnable.graph.errors import NodeNotFoundError, ParameterTypeError
from runnable.parameters import shortened
from runnable.sdk.any_pipeline import AnyPipeline
from runnable.sdk.assembly import assemble
from runnable.sdk.definition import Definition
from runnable.sdk.hook_settings import HookSettings
from runnable.sdk.run_options import RunOptions, asked, takes_run_options
from runnable.sdk.run_request import RunRequest
from runnable.sdk.type_checks import needs_and_type_findings

if TYPE_CHECKING:
    # Whoever only defines a pipeline needs none of what runs it.
    from runnable.datastore import RunLog


MAKE_STEP = "__runnable_step__"
"""The attribute of a function that makes its step; see `runnable.task`."""


class Step(Definition, abc.ABC):
    """One step of a pipeline; each kind of step is a subclass."""

    model_config = ConfigDict(
        extra="forbid", arbitrary_types_allowed=True, defer_build=True
    )

    name: str
    """Unique within its pipeline; without `.` and `%`."""
    next_node: str = ""
    """The next step; the next one of the list, if empty."""
    terminate_with_success: bool = False
    """Whether the pipeline succeeds after this step."""
    terminate_with_failure: bool = False
    """Whether the pipeline fails after this step."""
    on_failure: SkipValidation[AnyPipeline | None] = None
    """The pipeline that runs instead of the rest when this step fails."""

    @model_validator(mode="before")
    @classmethod
    def _check_settings(cls, given: object) -> object:
        if not isinstance(given, Mapping):
            return given
        settings = cast("Mapping[str, object]", given)
        if cls.model_config.get("extra") == "forbid":
            wrong = [str(key) for key in settings if key not in cls.model_fields]
            for key in wrong:
                hint = did_you_mean(key, cls.model_fields)
                raise ValueError(f"there is no setting {key!r}. {hint}")
        if not settings.get("name") and (name := cls._default_name(settings)):
            settings = {**settings, "name": name}
        return settings

    @classmethod
    def _default_name(cls, settings: Mapping[str, object]) -> str:
        """Return the name of a step that is given none; empty if it needs one."""
        del settings
        return ""

    @model_validator(mode="after")
    def _check_ends(self) -> Self:
        ends = {
            SUCCESS_NODE: self.terminate_with_success,
            FAIL_NODE: self.terminate_with_failure,
        }
        if all(ends.values()):
            raise ValueError("it ends in success and in failure")
        for node, ends_there in ends.items():
            if ends_there and self.next_node not in {"", node}:
                raise ValueError(
                    f"it ends the pipeline, and leads to {self.next_node!r} as well"
                )
            if ends_there:
                self.next_node = node
        return self

    @property
    def internal_name(self) -> str:
        """The name of the step, without the branches that it is in."""
        return self.name

    def __hash__(self) -> int:
        return hash(self.name)

    def __rshift__(self, other: "Step") -> "Step":
        """Make another step follow this one; returns the other."""
        self._lead_to(other)
        return other

    def __lshift__(self, other: "Step") -> "Step":
        """Make this step follow another one; returns the other."""
        other._lead_to(self)
        return other

    def _lead_to(self, other: "Step") -> None:
        if self.next_node:
            raise DefinitionError(
                f"step {self.name!r} leads to {self.next_node!r} already, so it "
                f"cannot lead to {other.name!r}"
            )
        self.next_node = other.name

    def as_pipeline(self) -> "Pipeline":
        """Return a pipeline of this one step, of the same name."""
        return Pipeline(steps=[self], name=self.name)

    def as_async_pipeline(self) -> "AsyncPipeline":
        """Return a pipeline of this one step, of the same name."""
        return AsyncPipeline(steps=[self], name=self.name)

    def leads_to(self) -> str:
        """Return the name of the next step, if it is set explicitly."""
        # Attributes may have been set after the step was made.
        if self.terminate_with_failure:
            return FAIL_NODE
        return SUCCESS_NODE if self.terminate_with_success else self.next_node

    def failure_graph(self) -> Graph | None:
        """Return the graph that is run when this step fails, if there is one."""
        handler = cast("object", self.on_failure)  # it was not validated
        if handler is None or isinstance(handler, AnyPipeline):
            return handler.return_dag() if handler else None
        raise DefinitionError(
            f"on_failure of step {self.name!r} is a {type(handler).__name__}, not a "
            "Pipeline; write Pipeline(steps=[...]), or step.as_pipeline() for one step"
        )

    @abc.abstractmethod
    def make_node(self, next_node: str, on_failure: str) -> StepNode:
        """Make the node that stands for this step in a graph.

        Args:
            next_node: What follows when it succeeds.
            on_failure: What follows when it fails; empty for the fail node.

        Returns:
            The node.
        """


def _as_steps(given: object) -> object:
    """Replace functions that were declared to be tasks by their steps."""
    if not isinstance(given, Sequence) or isinstance(given, str):
        return given
    return [_as_step(it) for it in cast("Sequence[object]", given)]


def _as_step(given: object) -> object:
    if isinstance(given, Step):
        return given
    if not callable(given):
        raise ValueError(f"{shortened(given)} is not a step")  # noqa: TRY004 - pydantic's
    make = getattr(given, MAKE_STEP, None)
    if make is None:
        name = getattr(given, "__name__", type(given).__name__)
        raise DefinitionError(
            f"{name!r} is a function, not a step; decorate it with @task, or write "
            f"PythonTask(function={name})"
        )
    return make(given)


class Pipeline(HookSettings, AnyPipeline):
    """Steps that follow each other; a value that any number of runs share.

    Each step leads to the next one of the list, unless it names another; the last
    one ends the pipeline in success.

    Example:
        >>> from runnable import Pipeline, PythonTask, metric
        >>> def double(x: int) -> int:
        ...     return 2 * x
        >>> pipeline = Pipeline(
        ...     steps=[PythonTask(name="d", function=double, returns=[metric("y")])]
        ... )
        >>> in_memory = {"run_log_store": {"type": "memory"},
        ...              "catalog": {"type": "do-nothing"}}
        >>> run_log = pipeline.execute(parameters={"x": 21}, services=in_memory)
        >>> run_log.status, run_log.metrics
        ('SUCCESS', {'y': 42})
    """

    steps: Annotated[
        Sequence[InstanceOf[Step] | Callable[..., object]], BeforeValidator(_as_steps)
    ]
    """Steps, or functions that `@task` has declared to be tasks."""
    name: str = ""
    description: str = ""
    internal_branch_name: str = ""
    check_types: bool = True
    """Whether a pipeline is refused in which a step returns what another one that uses
    it cannot take, by the annotations of their functions."""
    reference: str = ""
    """A function that returns or executes it, by which other processes find it:
    `package.module:function` or `file.py:function`; found out if empty."""

    _graph: Graph = PrivateAttr()
    _request: RunRequest = PrivateAttr()

    def model_post_init(self, context: object, /) -> None:
        """Assemble and check the graph; nothing runs that is not sound."""
        super().model_post_init(context)
        self._graph = self._make_graph()
        needs, findings = needs_and_type_findings(self._graph)
        if findings:
            texts = [finding.text for finding in findings]
            raise ParameterTypeError(self._graph.name, texts)
        self._request = RunRequest(
            graph=self._graph,
            needs=needs,
            file=self._file(),
            reference=self.reference,
            described_hooks=self.described_hooks(),
        )

    def _make_graph(self) -> Graph:
        steps = cast("Sequence[Step]", self.steps)
        return assemble(
            steps, self.name, self.description, check_types=self.check_types
        )

    def _file(self) -> str:
        """Return the file that describes this pipeline; empty if Python does."""
        return ""

    @property
    def add_terminal_nodes(self) -> bool:
        """Whether the graph gets a success and a fail node; it always does."""
        return True

    def return_dag(self) -> Graph:
        """Return the graph of this pipeline."""
        return self._graph

    def run(self, /, **parameters: object) -> "RunLog":
        """Run this pipeline with parameters; short for `execute(parameters=...)`.

        Args:
            parameters: JSON values by name.

        Returns:
            The log of the run.

        Raises:
            ExecutionFailedError: If the run ended in failure.
            ParameterUnknownError: If no step uses a parameter of this name.

        Example:
            >>> from runnable import Pipeline, PythonTask
            >>> def double(x: int) -> int:
            ...     return 2 * x
            >>> step = PythonTask(function=double, returns=["y"])
            >>> getfixture("monkeypatch").chdir(getfixture("tmp_path"))
            >>> Pipeline(steps=[step]).run(x=4).outputs["y"]
            8
        """
        return self.execute(parameters=parameters)

    def step(self, path: str) -> "Pipeline":
        """Return one step of this pipeline, as a pipeline of its own.

        Args:
            path: The name of the step; of one in a branch, after those of the step and
                the branch that it is in: `each.item.train`.

        Returns:
            A pipeline that runs this step alone: `pipeline.step("train").run(rows=5)`,
            or `.execute(inputs_from="latest")` with what an earlier run has recorded.

        Raises:
            NodeNotFoundError: If there is no such step.
        """
        node = node_at(self._graph, path)
        if node is None:
            raise NodeNotFoundError(path, sorted(self._graph.step_names))
        return GraphPipeline(
            dag=step_alone(self._graph, node),
            name=self.name,
            description=self.description,
            check_types=self.check_types,
            whole=self._graph,
            kept=frozenset([path.partition(".")[0]]),
        )

    @takes_run_options()
    def execute(self, *earlier: str, **options: Unpack[RunOptions]) -> "RunLog":
        """Run this pipeline, and wait for its end.

        May be called any number of times, at once from any number of threads, and
        also where an event loop is running. Coroutine functions and others may be
        mixed; branches overlap in threads.

        Args:
            earlier: The first of them, by position, as version 0.50 takes them;
                deprecated.
            options: See `runnable.sdk.run_options.RunOptions`.

        Returns:
            The log of the run.

        Raises:
            ExecutionFailedError: If the run ended in failure; the exception of the
                failing step is its cause.
            ParameterMissingError: If a parameter that a step needs is not provided.
            ConfigurationError: If a file, key or value of the configuration is wrong.
            RunLogExistsError: If the run id has been used.
            RetryValidationError: If a run cannot be resumed: it is active, or its
                pipeline has changed.
        """
        given, container = asked(earlier, options)
        from runnable.sdk.start import execute

        return execute(self._request, given, container)

    @takes_run_options()
    async def execute_async(
        self, *earlier: str, **options: Unpack[RunOptions]
    ) -> "RunLog":
        """Run this pipeline without blocking the event loop; else as `execute`.

        Coroutine functions are awaited, other functions are called in threads, and
        branches overlap as asyncio tasks. Cancelling ends the step that runs, and is
        recorded.

        Args:
            earlier: The first of them, by position, as version 0.50 takes them;
                deprecated.
            options: See `runnable.sdk.run_options.RunOptions`.

        Returns:
            The log of the run.

        Raises:
            ExecutionFailedError: If the run ended in failure.
        """
        given, container = asked(earlier, options)
        from runnable.sdk.start import execute_async

        return await execute_async(self._request, given, container)

    @takes_run_options()
    async def execute_streaming(
        self, *earlier: str, lifecycle: bool = False, **options: Unpack[RunOptions]
    ) -> AsyncGenerator[dict[str, object]]:
        """Run this pipeline, and yield what its tasks yield while it runs.

        A task that is a generator streams each mapping that has a `type`. To leave
        the loop early, or to close the generator, cancels the run.

        Args:
            earlier: The first of them, by position, as version 0.50 takes them;
                deprecated.
            lifecycle: Whether to yield as well what happens to the run, its steps and
                its branches; the `type` is that of a record, such as `step_finished`.
            options: See `runnable.sdk.run_options.RunOptions`.

        Yields:
            Events, as they happen.

        Raises:
            ExecutionFailedError: If the run ended in failure; after all events.

        Example:
            >>> import asyncio
            >>> from runnable import AsyncPythonTask
            >>> async def count():
            ...     for number in range(2):
            ...         yield {"type": "number", "number": number}
            >>> pipeline = AsyncPythonTask(name="c", function=count).as_async_pipeline()
            >>> in_memory = {"run_log_store": {"type": "memory"},
            ...              "catalog": {"type": "do-nothing"}}
            >>> async def main():
            ...     events = pipeline.execute_streaming(services=in_memory)
            ...     return [event["number"] async for event in events]
            >>> asyncio.run(main())
            [0, 1]
        """
        given, container = asked(earlier, options)
        from runnable.sdk.start import execute_async
        from runnable.sdk.stream import EventStream

        stream = EventStream(lifecycle=lifecycle)
        running = execute_async(self._request, given, container, stream)
        async with contextlib.aclosing(stream.events_of(running)) as events:
            async for event in events:
                yield event


class AsyncPipeline(Pipeline):
    """The same as `Pipeline`, which runs coroutine functions as well.

    Kept as a name for pipelines that are run with `execute_streaming` or
    `execute_async`.

    Example:
        >>> from runnable import AsyncPythonTask
        >>> async def answer():
        ...     return 42
        >>> step = AsyncPythonTask(function=answer, returns=["x"])
        >>> AsyncPipeline(steps=[step]).return_dag().start_at
        'answer'
    """


class GraphPipeline(Pipeline):
    """A pipeline with a ready-made graph, such as that of a file."""

    steps: Sequence[InstanceOf[Step] | Callable[..., object]] = ()
    dag: SkipValidation[Graph]
    file: str = ""
    """The file that describes it, if one does."""

    whole: SkipValidation[Graph | None] = None
    """The graph of the whole pipeline, if this is a part of one."""
    kept: frozenset[str] = frozenset()
    """The names of the steps of that pipeline that it has, or is in."""

    def model_post_init(self, context: object, /) -> None:
        """Assemble and check the graph."""
        super().model_post_init(context)
        self._request = replace(self._request, whole=self.whole, kept=self.kept)

    def _make_graph(self) -> Graph:
        return self.dag

    def _file(self) -> str:
        return self.file
