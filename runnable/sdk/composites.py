"""Steps that have branches, each of them a pipeline."""

import abc
from collections.abc import Callable, Mapping
from typing import Annotated, Self, TypedDict, cast

from pydantic import (
    BeforeValidator,
    Field,
    InstanceOf,
    field_validator,
    model_validator,
)

from runnable.defaults import LOOP_PLACEHOLDER, MAP_PLACEHOLDER
from runnable.errors import did_you_mean
from runnable.graph import (
    ConditionalNode,
    Graph,
    LoopNode,
    MapNode,
    Overlap,
    Parallelism,
    ParallelNode,
    Reducer,
    StepNode,
)
from runnable.parameters import as_reduction
from runnable.sdk.any_pipeline import AnyPipeline
from runnable.sdk.pipeline import Step


def _is_pipeline(value: object) -> object:
    if isinstance(value, Step):
        # pydantic takes a ValueError for its own finding.
        raise ValueError(  # noqa: TRY004
            f"a branch is a pipeline, and {value.name!r} is a step; write "
            f"{type(value).__name__}(...).as_pipeline()"
        )
    return value


Branch = Annotated[InstanceOf[AnyPipeline], BeforeValidator(_is_pipeline)]


class CompositeStep(Step):
    """A step that has branches; each kind is a subclass."""

    overrides: dict[str, str] = {}
    """Executor's name to the name of a block of its configuration."""

    @property
    @abc.abstractmethod
    def graph_branches(self) -> dict[str, Graph]:
        """The graphs of the branches, by name."""

    def _common(self, next_node: str, on_failure: str) -> "_Common":
        return {
            "name": self.name,
            "next_node": next_node,
            "on_failure": on_failure,
            "overrides": dict(self.overrides),
            "branches": self.graph_branches,
        }


class _Common(TypedDict):
    """Base class of all steps with branches."""

    name: str
    next_node: str
    on_failure: str
    overrides: dict[str, str]
    branches: dict[str, Graph]


class _Named(CompositeStep):
    """A step whose branches have names."""

    branches: Mapping[str, Branch]
    """Pipelines by name; the names are parts of paths in the run log."""

    @field_validator("branches")
    @classmethod
    def _has_branches(cls, branches: Mapping[str, Branch]) -> Mapping[str, Branch]:
        if not branches:
            raise ValueError("a step with branches needs at least one")
        return branches

    @property
    def graph_branches(self) -> dict[str, Graph]:
        """The graphs of the branches, by name."""
        return {name: branch.return_dag() for name, branch in self.branches.items()}


class _Overlapping(CompositeStep):
    """A step whose branches do not depend on each other."""

    parallelism: Parallelism | None = None
    """How branches overlap: `thread`, `process` or `none`; the executor's way if
    None."""
    max_workers: Annotated[int, Field(ge=1)] | None = None
    """How many branches are in flight at once; the executor's number if None."""

    @property
    def overlap(self) -> Overlap:
        """How branches overlap."""
        return Overlap(self.parallelism, self.max_workers)


class Parallel(_Named, _Overlapping):
    """Runs several pipelines at once.

    The branches see the parameters from before this step. What they set becomes
    parameters of the pipeline when all have succeeded; if several have set the same one
    differently, the later in order wins, with a warning.

    Example:
        >>> from runnable import Parallel, Pipeline, PythonTask
        >>> def left():
        ...     return 1
        >>> def right():
        ...     return 2
        >>> one = PythonTask(name="one", function=left, returns=["x"])
        >>> two = PythonTask(name="two", function=right, returns=["y"])
        >>> both = Parallel(name="both", branches={
        ...     "left": one.as_pipeline(), "right": two.as_pipeline()})
        >>> in_memory = {"run_log_store": {"type": "memory"},
        ...              "catalog": {"type": "do-nothing"}}
        >>> run_log = Pipeline(steps=[both]).execute(services=in_memory)
        >>> {name: it.value for name, it in run_log.parameters.items()}
        {'x': 1, 'y': 2}
    """

    def make_node(self, next_node: str, on_failure: str) -> StepNode:
        """Make the node that stands for this step in a graph."""
        return ParallelNode(
            **self._common(next_node, on_failure),
            overlap=self.overlap,
        )


class Conditional(_Named):
    """Runs the one pipeline that a parameter names.

    Example:
        >>> from runnable import Conditional, Stub
        >>> choice = Conditional(name="choice", parameter="toss", default="tails",
        ...     branches={side: Stub(name=side).as_pipeline()
        ...               for side in ("heads", "tails")})
        >>> choice.as_pipeline().return_dag().node("choice").default
        'tails'
    """

    parameter: str
    """Text, a number, True or False; the branch whose name is its text is run."""
    default: str | None = None
    """The branch that is run if none has the name; the step fails if None. A pipeline
    becomes a branch of the name `default`."""

    @model_validator(mode="before")
    @classmethod
    def _name_the_default(cls, given: object) -> object:
        if not isinstance(given, Mapping):
            return given
        settings = cast("Mapping[str, object]", given)
        default, branches = settings.get("default"), settings.get("branches")
        if not isinstance(default, AnyPipeline):
            return settings
        if not isinstance(branches, Mapping) or "default" in branches:
            raise ValueError("one of `branches` has the name 'default' already")
        named = {**cast("Mapping[str, object]", branches), "default": default}
        return {**settings, "branches": named, "default": "default"}

    @model_validator(mode="after")
    def _has_default(self) -> Self:
        if self.default is not None and self.default not in self.branches:
            hint = did_you_mean(self.default, self.branches)
            raise ValueError(f"default {self.default!r} is no branch. {hint}")
        return self

    def make_node(self, next_node: str, on_failure: str) -> StepNode:
        """Make the node that stands for this step in a graph."""
        return ConditionalNode(
            **self._common(next_node, on_failure),
            parameter=self.parameter,
            default=self.default,
        )


class Map(_Overlapping):
    """Runs a pipeline for every item of a list, several at once.

    What the tasks of the branch return is collected over the items, in their order,
    and reduced to one value each.

    Example:
        >>> from runnable import Map, Pipeline, PythonTask
        >>> def square(x):
        ...     return x * x
        >>> one = PythonTask(name="one", function=square, returns=["y"])
        >>> squares = Map(name="squares", iterate_on="numbers", iterate_as="x",
        ...               branch=one.as_pipeline())
        >>> in_memory = {"run_log_store": {"type": "memory"},
        ...              "catalog": {"type": "do-nothing"}}
        >>> run_log = Pipeline(steps=[squares]).execute(
        ...     parameters={"numbers": [1, 2, 3]}, services=in_memory)
        >>> run_log.parameters["y"].value
        [1, 4, 9]
    """

    branch: Branch
    """The pipeline that is run each time."""
    iterate_on: str
    """The parameter that is the list; its items are any JSON values."""
    iterate_as: str
    """The name of the item in the branch."""
    reducer: str | Callable[..., object] | None = None
    """Makes one value of those of all items: a callable that takes them as arguments,
    its dotted name, or a lambda as text. One that needs a single argument, such as
    `statistics.mean` or `max`, takes the list. None keeps the list."""

    @field_validator("reducer")
    @classmethod
    def _is_usable(
        cls, reducer: str | Callable[..., object] | None
    ) -> str | Callable[..., object] | None:
        as_reduction(reducer)
        return reducer

    @property
    def graph_branches(self) -> dict[str, Graph]:
        """The graph of the branch, under the name that stands for the item."""
        return {MAP_PLACEHOLDER: self.branch.return_dag()}

    def make_node(self, next_node: str, on_failure: str) -> StepNode:
        """Make the node that stands for this step in a graph."""
        return MapNode(
            **self._common(next_node, on_failure),
            overlap=self.overlap,
            iterate_on=self.iterate_on,
            iterate_as=self.iterate_as,
            reducer=Reducer(*as_reduction(self.reducer)),
        )


class Loop(CompositeStep):
    """Runs a pipeline again and again, until a parameter says that it is done.

    Each iteration continues with the parameters of the one before it; those of the last
    one become parameters of the pipeline.

    Example:
        >>> from runnable import Loop, Pipeline, PythonTask
        >>> def grow(x):
        ...     return 2 * x, x > 10
        >>> one = PythonTask(name="one", function=grow, returns=["x", "done"])
        >>> loop = Loop(name="grow", break_on="done", index_as="round",
        ...             max_iterations=9, branch=one.as_pipeline())
        >>> in_memory = {"run_log_store": {"type": "memory"},
        ...              "catalog": {"type": "do-nothing"}}
        >>> run_log = Pipeline(steps=[loop]).execute(
        ...     parameters={"x": 3}, services=in_memory)
        >>> run_log.parameters["x"].value
        24
    """

    branch: Branch
    """The pipeline that is run each time."""
    max_iterations: int = Field(ge=1)
    """It ends after so many in any case."""
    break_on: str
    """The parameter that ends the loop after the iteration in which it is True."""
    index_as: str
    """The name of the iteration's number, from 0: a parameter of the branch, and a
    variable in the environment of its tasks."""

    @property
    def graph_branches(self) -> dict[str, Graph]:
        """The graph of the branch, under the name that stands for the number."""
        return {LOOP_PLACEHOLDER: self.branch.return_dag()}

    def make_node(self, next_node: str, on_failure: str) -> StepNode:
        """Make the node that stands for this step in a graph."""
        return LoopNode(
            **self._common(next_node, on_failure),
            max_iterations=self.max_iterations,
            break_on=self.break_on,
            index_as=self.index_as,
        )
