"""The run of the calling code: contexts, scopes and threads."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

import runnable.context
from runnable.context import (
    ContextThreadPool,
    JobContext,
    PipelineContext,
    RunScope,
    get_run_context,
    propagate,
    set_run_context,
)
from runnable.datastore import PickledParameter
from runnable.exceptions import ConfigurationError
from runnable.executor import BaseJobExecutor
from runnable.tasks import BaseTaskType

PIPELINE = {
    "pipeline_definition_file": "a.py",
    "run_id": "r1",
    "catalog": {"type": "file-system"},
    "secrets": {"type": "env-secrets"},
    "pickler": {"type": "pickle"},
    "run_log_store": {"type": "memory"},
    "pipeline_executor": {"type": "local"},
}
JOB = {
    **{key: value for key, value in PIPELINE.items() if "pipeline" not in key},
    "job_definition_file": "a.py",
    "job_executor": {"type": "local"},
}


def test_constructing_a_context_makes_it_current():
    assert get_run_context() is None
    context = PipelineContext(**PIPELINE)
    assert get_run_context() is context
    assert context.run_log_store.service_name == "buffered"
    job = JobContext(**JOB)
    assert get_run_context() is job
    assert job.job_executor.service_name == "local"
    set_run_context(context)
    assert get_run_context() is context
    set_run_context(None)
    assert get_run_context() is None


@pytest.mark.parametrize("name", ["memory", "buffered"])
def test_memory_and_buffered_name_the_same_store(name):
    context = PipelineContext(**{**PIPELINE, "run_log_store": {"type": name}})
    assert type(context.run_log_store).__name__ == "MemoryRunLogStore"


def test_a_wrong_service_is_a_configuration_error():
    with pytest.raises(ConfigurationError, match="Did you mean 'memory'"):
        PipelineContext(**{**PIPELINE, "run_log_store": {"type": "memroy"}})
    assert get_run_context() is None


def test_the_old_attribute_warns_and_answers():
    with pytest.warns(DeprecationWarning, match="get_run_context"):
        assert runnable.context.run_context is None
    context = PipelineContext(**PIPELINE)
    with pytest.warns(DeprecationWarning):
        assert runnable.context.run_context is context
    with pytest.raises(AttributeError, match="nothing_of_this_name"):
        _ = runnable.context.nothing_of_this_name


def test_a_task_type_that_declares_nothing_but_data():
    class MyTask(BaseTaskType):
        command: str = "whatever"
        secrets: list[str] = ["TOKEN"]

    task = MyTask()
    with pytest.raises(RuntimeError, match="No run context available"):
        _ = task._context
    context = PipelineContext(**PIPELINE)
    assert task._context is context
    with pytest.raises(NotImplementedError, match=r"MyTask defines no bind"):
        task.bind({})


def test_a_job_executor_that_only_submits():
    class MyExecutor(BaseJobExecutor):
        service_name: str = "mine"

        def submit_job(self, job):
            return None

    executor = MyExecutor()
    with pytest.raises(RuntimeError, match="No run context available"):
        _ = executor._context
    context = JobContext(**JOB)
    assert executor._context is context


def test_the_description_of_a_pickled_parameter():
    assert PickledParameter(value="x").description.startswith("Pickled object")


def test_recorded_services_have_options_and_no_secrets():
    recorded = PipelineContext(**PIPELINE).describe()
    assert recorded["catalog"]["service_name"] == "file-system"
    assert recorded["catalog"]["catalog_location"] == ".catalog"
    assert recorded["pipeline_definition_file"] == "a.py"
    assert "variables" not in recorded


class TestScope:
    """Who enters a run owns it, and leaves everything as it was."""

    def test_nesting(self):
        with RunScope(PipelineContext(**PIPELINE)):
            with RunScope(PipelineContext(**{**PIPELINE, "run_id": "r2"})):
                assert get_run_context().run_id == "r2"
            assert get_run_context().run_id == "r1"
        assert get_run_context() is None

    def test_entering_again_joins(self):
        context = PipelineContext(**PIPELINE)
        with RunScope(context):
            with RunScope(context):
                pass
            assert get_run_context() is context
        assert get_run_context() is None

    @pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, GeneratorExit])
    def test_after_a_failure(self, error):
        with pytest.raises(error), RunScope(PipelineContext(**PIPELINE)):
            raise error
        assert get_run_context() is None

    def test_clean_up_is_last_to_first_and_happens_all(self):
        done = []

        def fail():
            done.append("fails")
            raise OSError("cannot close")

        with (
            pytest.raises(OSError, match="cannot close"),
            RunScope(PipelineContext(**PIPELINE)) as scope,
        ):
            scope.on_exit(lambda: done.append("first"))
            scope.on_exit(fail)
            scope.on_exit(lambda: done.append("last"))
        assert done == ["last", "fails", "first"]
        assert get_run_context() is None

    def test_a_generator_closed_elsewhere(self):
        def steps():
            with RunScope(PipelineContext(**PIPELINE)):
                yield get_run_context().run_id

        running = steps()
        assert next(running) == "r1"
        thread = threading.Thread(target=running.close)
        thread.start()
        thread.join()
        set_run_context(None)

    async def test_tasks_of_a_run_see_it_and_siblings_do_not(self):
        async def ask():
            await asyncio.sleep(0)
            context = get_run_context()
            return context.run_id if context else None

        async def run(run_id):
            with RunScope(PipelineContext(**{**PIPELINE, "run_id": run_id})):
                return await asyncio.gather(ask(), asyncio.create_task(ask()))

        found = await asyncio.gather(*(run(f"r{n}") for n in range(50)), ask())
        assert found == [[f"r{n}", f"r{n}"] for n in range(50)] + [None]


class TestThreads:
    """A run is carried into threads on request only."""

    def test_a_bare_pool_does_not_inherit(self):
        with (
            RunScope(PipelineContext(**PIPELINE)),
            ThreadPoolExecutor() as pool,
        ):
            assert pool.submit(get_run_context).result() is None

    def test_propagate_carries_the_run_of_the_submitter(self):
        with ThreadPoolExecutor(2) as pool:
            futures = []
            for number in range(20):
                context = {**PIPELINE, "run_id": f"r{number}"}
                with RunScope(PipelineContext(**context)):
                    ask = propagate(lambda: get_run_context().run_id)
                    futures.append(pool.submit(ask))
                    assert futures[-1].result() == f"r{number}"

    def test_a_pool_that_carries(self):
        with (
            RunScope(PipelineContext(**PIPELINE)) as _,
            ContextThreadPool(4) as pool,
        ):
            found = pool.map(lambda _: get_run_context().run_id, range(20))
            assert set(found) == {"r1"}

    async def test_to_thread_carries_by_itself(self):
        with RunScope(PipelineContext(**PIPELINE)):
            context = await asyncio.to_thread(get_run_context)
            assert context.run_id == "r1"
