"""Fixtures for tests of pipelines; pytest finds them by the entry point `pytest11`.

Nothing heavy is imported before a fixture is used: every test session loads this.
"""

import importlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

if TYPE_CHECKING:
    from runnable.datastore import RunLog
    from runnable.events import Event
    from runnable.sdk.pipeline import Pipeline
    from runnable.sdk.services import AnyRunContainer
    from runnable.testing import FrozenClock, StepResult


class RunPipeline(Protocol):
    """Runs a pipeline in the container of the test."""

    def __call__(
        self,
        pipeline: "Pipeline",
        parameters: Mapping[str, object] | None = None,
        *,
        fails: bool = False,
        functions: Mapping[str, Callable[..., object]] | None = None,
        services: Mapping[str, object] | None = None,
    ) -> "RunLog":
        """Run a pipeline.

        Args:
            pipeline: The pipeline.
            parameters: Those it starts with.
            fails: Whether it must fail; if not, it must succeed.
            functions: By names of steps: what is called in place of their own.
            services: As for `Pipeline.execute`; else those of the container.

        Returns:
            The log of the run.
        """
        ...


class RunStep(Protocol):
    """Runs one step in the container of the test."""

    def __call__(
        self,
        pipeline: "Pipeline",
        path: str,
        given: Mapping[str, object] | None = None,
        *,
        fails: bool = False,
    ) -> "StepResult":
        """Run one step of a pipeline.

        Args:
            pipeline: Where the step is from.
            path: Its path.
            given: The parameters that it finds.
            fails: Whether it must fail.

        Returns:
            What it has come to.
        """
        ...


@pytest.fixture
def run_container(
    tmp_path_factory: pytest.TempPathFactory,
) -> "Iterator[AnyRunContainer]":
    """A container of this test's own: run logs in memory, files in a temporary folder.

    Only tasks write to the working directory; override its services at will.
    """
    from runnable.context import set_run_context
    from runnable.scope.injection import COMPOSITION_ROOT

    made: list[Path] = []

    def folder() -> Path:
        if not made:
            made.append(tmp_path_factory.mktemp("runnable"))
        return made[0]

    in_memory = importlib.import_module(f"{COMPOSITION_ROOT}.in_memory")
    yield in_memory.in_memory_container(folder)
    set_run_context(None)


@pytest.fixture
def run_pipeline(run_container: "AnyRunContainer") -> RunPipeline:
    """Runs a pipeline; raises with a summary if its status is not the expected one."""
    from runnable.testing import assert_failed, assert_succeeded, replaced

    def run(
        pipeline: "Pipeline",
        parameters: Mapping[str, object] | None = None,
        *,
        fails: bool = False,
        functions: Mapping[str, Callable[..., object]] | None = None,
        services: Mapping[str, object] | None = None,
    ) -> "RunLog":
        if functions:
            pipeline = replaced(pipeline, functions)
        run_log = _executed(pipeline, parameters, services, run_container)
        (assert_failed if fails else assert_succeeded)(run_log)
        return run_log

    return run


def _executed(
    pipeline: "Pipeline",
    parameters: Mapping[str, object] | None,
    services: Mapping[str, object] | None,
    container: "AnyRunContainer",
) -> "RunLog":
    from runnable.engine.errors import ExecutionFailedError

    try:
        return pipeline.execute(
            parameters=parameters, services=services, container=container
        )
    except ExecutionFailedError as failed:
        if failed.run_log is None:
            raise
        return failed.run_log


@pytest.fixture
def run_step(run_pipeline: RunPipeline) -> RunStep:
    """Runs one step alone, with what it is given."""
    from runnable.testing import StepResult, one_step

    def run(
        pipeline: "Pipeline",
        path: str,
        given: Mapping[str, object] | None = None,
        *,
        fails: bool = False,
    ) -> "StepResult":
        alone = one_step(pipeline, path)
        run_log = run_pipeline(alone, given, fails=fails)
        return StepResult(run_log, alone.return_dag().start_at)

    return run


@pytest.fixture
def frozen_clock() -> "Iterator[FrozenClock]":
    """A clock that is set by hand, for the runs that this test's thread starts."""
    from runnable.scope.clock import clock_of
    from runnable.testing import FrozenClock

    clock = FrozenClock()
    with clock_of(clock, clock.tick):
        yield clock


@pytest.fixture
def run_events() -> "Iterator[list[Event]]":
    """Events of the runs that this test starts in its thread, in order."""
    from runnable.events import listening

    received: list[Event] = []
    with listening(received.append):
        yield received


def pytest_assertrepr_compare(op: str, left: object, right: object) -> list[str] | None:
    """Describe the differences between two run logs that should be equal."""
    kind = type(left)
    if op != "==" or kind.__name__ != "RunLog" or kind is not type(right):
        return None
    from runnable.datastore import RunLog
    from runnable.report import compare

    if not isinstance(left, RunLog) or not isinstance(right, RunLog):
        return None
    lines = [f"{it.what}: {it.first!r} != {it.second!r}" for it in compare(left, right)]
    return [f"runs {left.run_id!r} and {right.run_id!r} differ", *lines]
