"""Run contexts: the id, the files and the services of one run."""

import weakref
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar, Literal, NamedTuple, Protocol, cast

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    SkipValidation,
    model_validator,
)

from runnable import defaults
from runnable.catalog import BaseCatalog
from runnable.datastore import BaseRunLogStore
from runnable.errors import ConfigurationError
from runnable.events import Subscriber
from runnable.graph import Graph
from runnable.pickler import BasePickler
from runnable.scope import Run, find_run, make_current, set_run
from runnable.scope.injection import Provide, inject
from runnable.scope.options import Where, nowhere
from runnable.scope.service import Service
from runnable.secrets import BaseSecrets, Masker
from runnable.system.run_ids import make_run_id


class MakeService(Protocol):
    """Makes a service from its configuration."""

    def __call__(
        self, kind: str, description: Mapping[str, object], where: Where = nowhere
    ) -> Service:
        """Find the implementation and construct it."""
        ...


class Executor(Protocol):
    """The part of an executor that contexts use; executors live in a higher layer."""

    service_name: str


class Services(NamedTuple):
    """The services of one run; everything that needs one takes it from here."""

    catalog: BaseCatalog
    secrets: BaseSecrets
    pickler: BasePickler
    run_log_store: BaseRunLogStore
    executor: Executor


@inject
def _make(
    kind: str,
    description: Mapping[str, object],
    *,
    make_service: MakeService = Provide["make_service"],
) -> Service:
    return make_service(kind, description)


def _made(kind: str, service: object) -> Any:
    """Return a service; make it first if a configuration is given."""
    if isinstance(service, Mapping):
        return _make(kind, cast("Mapping[str, object]", service))
    if isinstance(service, str | type | None):
        problem = (
            f"{kind}: {service!r} is no service; give an instance, or a mapping with "
            "`type`"
        )
        raise ConfigurationError(problem)
    return service


_DEFAULT_TYPES = {
    "catalog": "file-system",
    "secrets": "env-secrets",
    "pickler": "pickle",
    "run_log_store": "file-system",
}


class _OfProcess:
    """The part of a context that belongs to this process."""

    __slots__ = ("graph", "masker", "run", "subscribers")

    def __init__(self, masker: Masker | None = None) -> None:
        self.graph: Graph | None = None
        # Weak, since a run knows its context: what has ended is gone at once.
        self.run: weakref.ref[Run] | None = None
        self.subscribers: list[Subscriber] = []
        self.masker = Masker() if masker is None else masker


class RunContext(BaseModel):
    """The context of one run; constructing one makes it current.

    Each service may be given by its kind, such as `catalog=`: as an instance or as
    `{"type": ..., "config": {...}}`.
    """

    model_config = ConfigDict(
        extra="forbid", arbitrary_types_allowed=True, defer_build=True
    )

    executor_kind: ClassVar[str] = ""
    """The kind of executor that runs it."""

    run_id: str = Field(default_factory=make_run_id)
    tag: str = ""
    tags: dict[str, str] = {}
    notes: dict[str, str] = {}
    configuration_file: str = ""
    parameters_file: str = ""
    variables: dict[str, str] = {}
    """Values of `$name` in the configuration, from `RUNNABLE_VAR_<name>`."""
    log_level: str = ""
    """Handed to steps that run in another process."""
    execution_mode: Literal["python", "yaml"] = "python"
    reference: str = ""
    """Location of the definition, for another process; empty if it is not known."""
    is_retry: bool = False
    retry_indicator: str = ""
    code_ids: dict[str, str] = {}
    """Identities of the code besides git: `docker` the image, `argo` the workflow."""
    must_be_new: bool = False
    """Whether there must be no run of its id, although another process may begin it."""
    part: dict[str, JsonValue] = {}
    """Which part of its pipeline is run, if it is not the whole."""
    services: SkipValidation[Services]

    object_serialisation: bool = True
    """Whether returned objects are stored; if not, they stay in memory."""
    run_folder: str = ""
    """The folder of the run, for worker processes; the engine knows it elsewhere."""
    return_objects: dict[str, object] = {}
    """The objects that stay in memory, by key."""

    @cached_property
    def _own(self) -> _OfProcess:
        # No private attributes: pydantic takes 2 us to find one, and a run looks forty
        # times.
        return _OfProcess()

    @model_validator(mode="before")
    @classmethod
    def _collect_services(cls, given: object) -> object:
        if not isinstance(given, Mapping):
            return given
        fields = cast("Mapping[str, object]", given)
        if "services" in fields:
            return fields
        kinds = (*_DEFAULT_TYPES, cls.executor_kind)
        rest = {key: it for key, it in fields.items() if key not in kinds}
        made = (
            _made(kind, fields.get(kind, {"type": _DEFAULT_TYPES.get(kind, "local")}))
            for kind in kinds
        )
        return {**rest, "services": Services(*made)}

    def model_post_init(self, context: object, /) -> None:
        """Make this context the current one."""
        super().model_post_init(context)
        self.become_current()

    def __getstate__(self) -> dict[Any, Any]:
        state = super().__getstate__()
        own, objects = _OfProcess(self._own.masker), dict[str, object]()
        fields: dict[str, object] = {
            **state["__dict__"],
            "return_objects": objects,
            "_own": own,
        }
        return {**state, "__dict__": fields}

    @property
    def catalog(self) -> BaseCatalog:
        """Keeps the files and objects of the run."""
        return self.services.catalog

    @property
    def secrets(self) -> BaseSecrets:
        """Knows the secrets that tasks may read."""
        return self.services.secrets

    @property
    def pickler(self) -> BasePickler:
        """Turns objects into bytes."""
        return self.services.pickler

    @property
    def run_log_store(self) -> BaseRunLogStore:
        """Keeps the records of the run."""
        return self.services.run_log_store

    @property
    def subscribers(self) -> Sequence[Subscriber]:
        """The subscribers of this run."""
        return tuple(self._own.subscribers)

    def subscribe(self, subscriber: Subscriber) -> None:
        """Add a subscriber to this run, from its first record on.

        Args:
            subscriber: Called with each `runnable.events.Event`.
        """
        self._own.subscribers.append(subscriber)

    def set_subscribers(self, subscribers: Sequence[Subscriber]) -> None:
        """Replace all subscribers, in a process that gets this context from another.

        Args:
            subscribers: Called with each event.
        """
        self._own.subscribers = list(subscribers)

    @property
    def masker(self) -> Masker:
        """Knows the secrets that have been asked for in this run."""
        return self._own.masker

    @property
    def run(self) -> Run | None:
        """The run that this context describes, since it became current."""
        run = self._own.run
        return run() if run is not None else None

    def become_current(self) -> None:
        """Make this context current here, for a run that is not entered yet."""
        self._own.run = weakref.ref(make_current(self))

    @property
    def dag(self) -> Graph | None:
        """The graph of the pipeline, once it runs; a job has none."""
        return self._own.graph

    @property
    def dag_hash(self) -> str:
        """SHA-1 over the description of the graph, 40 hexadecimal digits."""
        graph = self._own.graph
        return graph.hash if graph is not None else ""

    def set_graph(self, graph: Graph) -> None:
        """Set the graph that this run executes."""
        self._own.graph = graph

    @property
    def label_options(self) -> list[str]:
        """Its tags and notes as options of the command line, without secrets."""
        # After a leading = comes a tag without a key.
        plain = f"={self.tag}" if "=" in self.tag else self.tag
        options = [f"--tag={self.masker.text(plain)}"] if plain else []
        for option, texts in (("--tag", self.tags), ("--note", self.notes)):
            shown = self.masker.texts(texts)
            options += [f"{option}={key}={it}" for key, it in shown.items()]
        return options

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
            if name not in _NOT_RECORDED
        }
        if self.part:
            described["part"] = self.part
        for name, service in zip(Services._fields, self.services, strict=True):
            kind = self.executor_kind if name == "executor" else name
            described[kind] = _describe(service)
        return described


class PipelineContext(RunContext):
    """The context of a run of a pipeline.

    Example:
        >>> context = PipelineContext(run_id="r1", run_log_store={"type": "memory"})
        >>> get_run_context() is context
        True
        >>> set_run_context(None)
    """

    executor_kind: ClassVar[str] = "pipeline_executor"

    pipeline_definition_file: str = ""

    @property
    def pipeline_executor(self) -> Executor:
        """Chooses how the steps are run."""
        return self.services.executor


class JobContext(RunContext):
    """The context of a run of a job."""

    executor_kind: ClassVar[str] = "job_executor"

    job_definition_file: str = ""
    catalog_store_copy: bool = True

    @property
    def job_executor(self) -> Executor:
        """Chooses how the job is run."""
        return self.services.executor


# The first record has the tags and the notes itself.
_NOT_RECORDED = {
    *("return_objects", "variables", "services", "run_folder"),
    *("tags", "notes", "part"),
}


def _describe(service: object) -> JsonValue:
    if isinstance(service, Service):
        return service.describe()
    # A fake that a test passed in: its class is its description.
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
    run = find_run()
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
