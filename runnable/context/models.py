"""What describes one run: its id, its files and its services."""

import weakref
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Protocol

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    PrivateAttr,
    SkipValidation,
    ValidationInfo,
)

from runnable import defaults
from runnable.catalog import BaseCatalog
from runnable.datastore import BaseRunLogStore
from runnable.events import Subscriber
from runnable.exceptions import ConfigurationError
from runnable.graph import Graph
from runnable.injection import Provide, inject
from runnable.names import make_run_id
from runnable.options import Where, nowhere
from runnable.pickler import BasePickler
from runnable.scope import Run, live_run, make_current, set_run
from runnable.secrets import BaseSecrets, Masker
from runnable.service import Service


class MakeService(Protocol):
    """Makes a service from its configuration."""

    def __call__(
        self, kind: str, description: Mapping[str, object], where: Where = nowhere
    ) -> Service:
        """Find the implementation and construct it."""
        ...


class Executor(Protocol):
    """What a context knows of an executor; executors live in a higher layer."""

    service_name: str


@inject
def _make(
    kind: str,
    description: Mapping[str, object],
    *,
    make_service: MakeService = Provide["make_service"],
) -> Service:
    return make_service(kind, description)


def _from_configuration(value: object, info: ValidationInfo) -> object:
    if isinstance(value, Mapping):
        return _make(str(info.field_name), value)
    if isinstance(value, str | type | None):
        problem = (
            f"{info.field_name}: {value!r} is no service; give an instance, or a "
            "mapping with `type`"
        )
        raise ConfigurationError(problem)
    return value


_Make = BeforeValidator(_from_configuration)


def _default(name: str) -> Any:
    return Field(default={"type": name})


class RunContext(BaseModel):
    """What describes one run; constructing one makes it current.

    Each service may be given as an instance or as `{"type": ..., "config": {...}}`.
    """

    model_config = ConfigDict(
        extra="forbid",
        arbitrary_types_allowed=True,
        validate_default=True,
        defer_build=True,
    )

    run_id: str = Field(default_factory=make_run_id)
    tag: str = ""
    configuration_file: str = ""
    parameters_file: str = ""
    variables: dict[str, str] = {}
    """What `$name` stands for in the configuration, from `RUNNABLE_VAR_<name>`."""
    log_level: str = ""
    """Handed to steps that run in another process."""
    execution_mode: Literal["python", "yaml"] = "python"
    is_retry: bool = False
    retry_indicator: str = ""
    catalog: Annotated[SkipValidation[BaseCatalog], _Make] = _default("file-system")
    secrets: Annotated[SkipValidation[BaseSecrets], _Make] = _default("env-secrets")
    pickler: Annotated[SkipValidation[BasePickler], _Make] = _default("pickle")
    run_log_store: Annotated[SkipValidation[BaseRunLogStore], _Make] = _default(
        "file-system"
    )

    object_serialisation: bool = True
    """Whether returned objects are stored; if not, they stay in memory."""
    return_objects: dict[str, object] = {}
    """The objects that stay in memory, by key."""

    _dag: Graph | None = PrivateAttr(default=None)
    # Weak, since a run knows its context: what has ended is gone at once.
    _run: weakref.ref[Run] | None = PrivateAttr(default=None)
    _subscribers: list[Subscriber] = PrivateAttr(default_factory=list)
    _masker: Masker = PrivateAttr(default_factory=Masker)

    def model_post_init(self, context: object, /) -> None:
        """Make this context the current one."""
        super().model_post_init(context)
        self.become_current()

    def __getstate__(self) -> dict[Any, Any]:
        # Where it is current, and what it runs, belongs to this process.
        state = super().__getstate__()
        own = {**(state["__pydantic_private__"] or {})}
        own |= {"_dag": None, "_run": None, "_subscribers": []}
        fields = {**state["__dict__"], "return_objects": {}}
        return {**state, "__dict__": fields, "__pydantic_private__": own}

    @property
    def subscribers(self) -> Sequence[Subscriber]:
        """Who is told what happens in this run."""
        return tuple(self._subscribers)

    def subscribe(self, subscriber: Subscriber) -> None:
        """Have somebody told what happens in this run, from its first record on.

        Args:
            subscriber: Called with each `runnable.events.Event`.
        """
        self._subscribers.append(subscriber)

    @property
    def masker(self) -> Masker:
        """Knows the secrets that have been asked for in this run."""
        return self._masker

    @property
    def run(self) -> Run | None:
        """The run that this context describes, since it became current."""
        return self._run() if self._run is not None else None

    def become_current(self) -> None:
        """Make this context current here, for a run that nobody has entered yet."""
        self._run = weakref.ref(make_current(self))

    @property
    def dag(self) -> Graph | None:
        """The graph of the pipeline, once it runs; a job has none."""
        return self._dag

    @property
    def dag_hash(self) -> str:
        """SHA-1 over the description of the graph, 40 hexadecimal digits."""
        return self._dag.hash if self._dag is not None else ""

    def set_graph(self, graph: Graph) -> None:
        """Say which graph this run executes."""
        self._dag = graph

    def environment(self) -> dict[str, str]:
        """Return the variables that tasks of this run see, beside the real ones."""
        variables = {defaults.ENV_RUN_ID: self.run_id}
        if self.tag:
            variables[defaults.RUNNABLE_RUN_TAG] = self.tag
        if self.configuration_file:
            variables[defaults.RUNNABLE_CONFIGURATION_FILE] = self.configuration_file
        return variables

    def describe(self) -> dict[str, JsonValue]:
        """Return what the run log records: this context, its services, no secrets."""
        described: dict[str, JsonValue] = {
            name: getattr(self, name)
            for name in type(self).model_fields
            if name not in _SERVICES and name not in _NOT_RECORDED
        }
        for name in _SERVICES:
            service = getattr(self, name, None)
            if service is not None:
                described[name] = _describe(service)
        return described


class PipelineContext(RunContext):
    """The context of a run of a pipeline.

    Example:
        >>> context = PipelineContext(run_id="r1", run_log_store={"type": "memory"})
        >>> get_run_context() is context
        True
        >>> set_run_context(None)
    """

    pipeline_definition_file: str = ""
    pipeline_executor: Annotated[SkipValidation[Executor], _Make] = _default("local")


class JobContext(RunContext):
    """The context of a run of a job."""

    job_definition_file: str = ""
    catalog_store_copy: bool = True
    job_executor: Annotated[SkipValidation[Executor], _Make] = _default("local")


_SERVICES = (
    "catalog",
    "secrets",
    "pickler",
    "run_log_store",
    "pipeline_executor",
    "job_executor",
)
_NOT_RECORDED = ("return_objects", "variables")


def _describe(service: object) -> JsonValue:
    if isinstance(service, Service):
        return service.describe()
    # A fake that a test passed in: its class says what it is.
    name = getattr(service, "service_name", "") or type(service).__qualname__
    return {"service_name": str(name)}


def get_run_context() -> PipelineContext | JobContext | None:
    """Return the context of the run that the caller belongs to.

    Returns:
        The context, or None outside a run.

    Example:
        >>> get_run_context() is None
        True
    """
    run = live_run()
    if run is None:
        return None
    context = run.context
    return context if isinstance(context, (PipelineContext, JobContext)) else None


def set_run_context(context: PipelineContext | JobContext | None) -> None:
    """Make a context current in this thread or task, or make none current.

    Args:
        context: The context, or None.
    """
    run = context.run if context is not None else None
    if context is None:
        set_run(None)
    elif run is not None and run.entered and not run.over:
        set_run(run)
    else:
        context.become_current()
