"""What somebody tried who wanted to break the isolation, and no longer can."""

import asyncio
import contextlib
import copy
import gc
import io
import os
import sys
import threading
import time
import unittest.mock
import weakref
from pathlib import Path

import pytest

from containers import OncePerRun, RunContainer, container
from runnable import (
    ExecutionFailedError,
    Pipeline,
    Provide,
    PythonTask,
    Stub,
    get_run_log,
    inject,
    pickled,
)
from runnable.capture import active_run
from runnable.context import (
    ContextThreadPool,
    PipelineContext,
    RunScope,
    get_run_context,
    set_run_context,
)
from runnable.datastore import RunFinished, RunStarted, StepFinished
from runnable.datastore.file_system import FileSystemRunLogStore
from runnable.datastore.memory import MemoryRunLogStore
from runnable.exceptions import ConfigurationError
from runnable.scope.service import Service
from runnable.secrets import BaseSecrets
from runnable.secrets.do_nothing import DoNothingSecrets


class Vault(BaseSecrets):
    """Knows every secret."""

    value: str = "s3cret"

    def get(self, name):
        return self.value


def pipeline(function, *returns, **more):
    step = PythonTask(name="s", function=function, returns=list(returns), **more)
    return Pipeline(steps=[step])


@pytest.mark.parametrize("way", ["patch", "pop", "clear"])
def test_code_that_saves_and_restores_variables_leaks_none(way, in_memory):
    def save_and_restore():
        if way == "patch":
            with unittest.mock.patch.dict(os.environ, {"A": "1"}):
                assert os.environ["TOKEN"] == "s3cret"
        elif way == "pop":
            token = os.environ.pop("TOKEN")
            assert "TOKEN" not in os.environ
            os.environ["TOKEN"] = token
        else:
            saved = os.environ.copy()
            os.environ.clear()
            assert len(os.environ) == 0
            os.environ.update(saved)
        # Backwards, since a secret itself would be masked in the run log.
        return os.environ["TOKEN"][::-1] + os.environ["RUNNABLE_STEP_ATTEMPT"]

    before = dict(os.environ)
    run_log = pipeline(save_and_restore, "r", secrets=["TOKEN"]).execute(
        services={**in_memory, "secrets": Vault()}
    )
    assert run_log.parameters["r"].value == "terc3s1"
    assert dict(os.environ) == before


def test_readers_are_not_disturbed_while_runs_start_and_end():
    """The class of os.environ changes while other threads are within its methods."""
    stop = threading.Event()
    problems = []

    def read():
        while not stop.is_set():
            try:
                os.environ.get("HOME")
                list(os.environ)
            except BaseException as error:
                problems.append(error)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    readers = [threading.Thread(target=read) for _ in range(2)]
    try:
        for reader in readers:
            reader.start()
        for _ in range(3000):
            with active_run():
                pass
    finally:
        stop.set()
        sys.setswitchinterval(interval)
    for reader in readers:
        reader.join()
    assert problems == []


def test_an_inner_override_of_the_same_object_ends_alone(monkeypatch):
    fake = DoNothingSecrets()
    with container.secrets.override(fake):
        with container.secrets.override(fake):
            pass
        assert container.secrets() is fake
    assert container.secrets.overridden == ()


def test_a_factory_that_waits_for_a_thread_of_the_run(in_memory):
    @inject
    def get_b(*, b: object = Provide["b"]) -> object:
        return b

    def make_a() -> object:
        with ContextThreadPool(1) as pool:
            return pool.submit(get_b).result(timeout=30)

    class App(RunContainer):
        b = OncePerRun(object)
        a = OncePerRun(make_a)

    app = App()
    with RunScope(PipelineContext(**in_memory), app):
        assert app.a() is app.b()


def test_a_generator_closed_within_another_run_changes_nothing_there(in_memory):
    def steps():
        with RunScope(PipelineContext(run_id="A", **in_memory)):
            yield

    box = []

    def open_it():
        box.append(steps())
        next(box[0])

    def close_it():
        before = (get_run_context().run_id, os.environ.get("TOKEN"))
        box[0].close()
        return before == (get_run_context().run_id, os.environ.get("TOKEN"))

    pipeline(open_it, secrets=["TOKEN"]).execute(
        services={**in_memory, "secrets": Vault()}
    )
    run_log = pipeline(close_it, "same").execute(services=in_memory)
    assert run_log.parameters["same"].value is True


def test_a_thread_that_outlives_its_run_sees_nothing_of_it(in_memory):
    ask, answered = threading.Event(), threading.Event()
    seen = []

    def outlive():
        from runnable.context import propagate

        def late():
            ask.wait(30)
            seen.append((get_run_context(), os.environ.get("TOKEN")))
            answered.set()

        threading.Thread(target=propagate(late)).start()

    pipeline(outlive, secrets=["TOKEN"]).execute(
        services={**in_memory, "secrets": Vault()}
    )
    with active_run():  # another run is going on
        ask.set()
        assert answered.wait(30)
    assert seen == [(None, None)]


async def test_runs_that_start_each_other_do_not_chain(in_memory):
    contexts = []
    done = asyncio.Event()
    tasks = set()

    async def step(number: int) -> None:
        contexts.append(weakref.ref(get_run_context()))
        if number == 30:
            done.set()
            return

        async def later():
            await asyncio.sleep(0)
            await start(number + 1)

        task = asyncio.create_task(later())
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    async def start(number: int) -> None:
        await pipeline(step).execute_async(
            parameters={"number": number}, services=in_memory
        )

    await start(0)
    await done.wait()
    await asyncio.sleep(0)
    gc.collect()
    assert sum(context() is not None for context in contexts) < 8


def test_a_stream_that_passes_on_is_captured_once(in_memory):
    class Tee(io.StringIO):
        def __init__(self, target):
            super().__init__()
            self.target = target

        def write(self, text):
            return self.target.write(text)

    def tee():
        with contextlib.redirect_stdout(Tee(sys.stdout)):
            Pipeline(steps=[Stub(name="inner")]).execute(services=in_memory)
            print("LINE")

    pipeline(tee).execute(run_id="r1")
    (log,) = Path(".catalog/r1").glob("s???.execution.log")
    assert log.read_text() == "LINE\n"


def test_text_that_a_stream_refuses_is_not_kept(in_memory):
    def wrong():
        with contextlib.suppress(TypeError):
            sys.stdout.write(b"bytes")
        copy.copy(sys.stdout)
        return 1

    assert pipeline(wrong, "r").execute(services=in_memory).status == "SUCCESS"


@pytest.mark.parametrize("way", ["execute", "execute_async"])
async def test_stop_iteration_fails_the_step(way, in_memory):
    def stop():
        next(iter([]))

    with pytest.raises(ExecutionFailedError) as caught:
        running = getattr(pipeline(stop), way)(services=in_memory)
        if way == "execute_async":
            await asyncio.wait_for(running, 30)
    assert isinstance(caught.value.__cause__.__cause__, StopIteration)


@pytest.mark.parametrize("way", ["execute", "execute_async"])
@pytest.mark.parametrize("kind", ["generator", "async generator", "awaitable"])
async def test_generators_and_awaitables_are_run(way, kind, in_memory):
    ran = []

    def generator():
        ran.append(1)
        yield 1
        ran.append(2)
        return "end"

    async def async_generator():
        ran.append(1)
        yield 1
        ran.append(2)

    async def coroutine():
        ran.extend([1, 2])
        return "end"

    function = {
        "generator": generator,
        "async generator": async_generator,
        "awaitable": lambda: coroutine(),
    }[kind]
    # An asynchronous generator can return nothing but what its last event says.
    returns = [] if kind == "async generator" else ["r"]
    running = getattr(pipeline(function, *returns), way)(services=in_memory)
    run_log = await running if way == "execute_async" else running
    assert ran == [1, 2]
    assert [it.value for it in run_log.parameters.values()] == ["end"] * len(returns)


def test_an_interrupt_ends_a_coroutine(in_memory):
    """KeyboardInterrupt in the caller's thread cancels what runs in its own loop."""
    import signal

    ended = []

    async def endless():
        os.kill(os.getpid(), signal.SIGINT)
        try:
            await asyncio.sleep(3600)
        finally:
            ended.append(True)

    with pytest.raises(KeyboardInterrupt):
        pipeline(endless).execute(services=in_memory)
    assert ended == [True]
    assert get_run_context() is None


class FailingStore(MemoryRunLogStore):
    """Cannot keep one kind of record, or hand on what has ended."""

    fails: type | str = "finish"

    def create(self, run_id, first):
        self.check(first)
        journal = super().create(run_id, first)
        append = journal.append

        def check(*records):
            for it in records:
                self.check(it)
            append(*records)

        journal.append = check
        return journal

    def check(self, record):
        if isinstance(self.fails, type) and isinstance(record, self.fails):
            raise OSError(28, "No space left on device")

    def finish(self, run_log):
        if self.fails == "finish":
            raise OSError(28, "No space left on device")


@pytest.mark.parametrize("fails", ["finish", RunStarted, StepFinished, RunFinished])
@pytest.mark.parametrize("user_fails", [False, True])
def test_a_store_that_fails_loses_no_cause(fails, user_fails, in_memory):
    def work():
        if user_fails:
            raise LookupError("mine")

    store = FailingStore(fails=fails)
    with pytest.raises(ExecutionFailedError) as caught:
        pipeline(work).execute(
            run_id="r1", services={**in_memory, "run_log_store": store}
        )
    error = caught.value
    assert error.run_id == "r1"
    assert "No space left" in str(error)
    mine = user_fails and fails is not RunStarted
    assert isinstance(error.__cause__, LookupError if mine else OSError)
    if fails is RunStarted:
        assert error.run_log is None
        assert store.list_run_ids() == []
    elif fails is not RunFinished:
        expected = "SUCCESS" if fails == "finish" and not user_fails else "FAIL"
        assert error.run_log.status == expected


def test_a_folder_that_vanishes(tmp_path, in_memory):
    gone = tmp_path / "gone"
    gone.mkdir()
    os.chdir(gone)
    store = FileSystemRunLogStore(log_folder=str(tmp_path / "logs"))
    gone.rmdir()
    try:
        run_log = pipeline(lambda: 1, "x").execute(
            services={**in_memory, "run_log_store": store}
        )
    finally:
        os.chdir(tmp_path)
    assert run_log.status == "SUCCESS"


@pytest.mark.parametrize("folder", ["../data", "/tmp"])
def test_the_compute_folder_stays_within_the_working_directory(folder):
    services = {"catalog": {"type": "file-system", "compute_data_folder": folder}}
    with pytest.raises(ConfigurationError, match="within the working directory"):
        Pipeline(steps=[Stub(name="s")]).execute(services=services)


def test_a_context_that_is_put_back_is_the_same_run(in_memory):
    class App(RunContainer):
        thing = OncePerRun(object)

    @inject
    def swap(*, thing: object = Provide["thing"]) -> bool:
        mine = get_run_context()
        set_run_context(None)
        assert get_run_context() is None
        set_run_context(mine)
        return container_thing() is thing

    @inject
    def container_thing(*, thing: object = Provide["thing"]) -> object:
        return thing

    run_log = pipeline(swap, "same").execute(services=in_memory, container=App())
    assert run_log.parameters["same"].value is True


def test_a_service_of_a_run_needs_an_owner(in_memory):
    class App(RunContainer):
        thing = OncePerRun(object)

    PipelineContext(**in_memory)
    with pytest.raises(RuntimeError, match=r"within RunScope\(context\)"):
        App().thing()


class Closing(DoNothingSecrets):
    """Counts how often it is closed."""

    closed: int = 0

    def close(self):
        self.closed += 1


def test_services_that_a_run_makes_are_closed_once(in_memory):
    closing = []
    real = container.make_service()

    def make(kind, description, place=""):
        if kind != "secrets":
            return real(kind, description, place)
        closing.append(Closing())
        return closing[-1]

    container.make_service.override(make)
    try:
        Pipeline(steps=[Stub(name="s")]).execute(services=in_memory)
        with pytest.raises(ConfigurationError):
            Pipeline(steps=[Stub(name="s")]).execute(
                services={**in_memory, "run_log_store": {"type": "nosuch"}}
            )
    finally:
        container.make_service.reset_override()
    assert [service.closed for service in closing] == [1, 1]


def test_everybody_sees_the_same_override(in_memory):
    from dependency_injector import providers

    made = []

    class Counted(DoNothingSecrets):
        def model_post_init(self, context):
            super().model_post_init(context)
            made.append(self)

    @inject
    def same(*, secrets: Service = Provide["secrets"]) -> bool:
        return secrets is get_run_context().secrets is container.secrets()

    with container.secrets.override(providers.Factory(Counted)):
        run_log = pipeline(same, "same").execute(services=in_memory)
    assert run_log.parameters["same"].value is True
    assert len(made) == 1

    class App(RunContainer):
        secrets = providers.Singleton(Counted)

    run_log = pipeline(same, "same").execute(services=in_memory)
    assert run_log.parameters["same"].value is True
    assert run_log.run_config["secrets"]["service_name"] == "env-secrets"
    app = App()
    run_log = pipeline(
        lambda: get_run_context().secrets is app.secrets(), "same"
    ).execute(services=in_memory, container=app)
    assert run_log.parameters["same"].value is True


def test_an_error_of_a_run_with_objects_in_memory_can_be_pickled(in_memory):
    import pickle

    failing = Pipeline(
        steps=[
            PythonTask(
                name="a", function=lambda: threading.Lock(), returns=[pickled("o")]
            ),
            PythonTask(name="b", function=lambda: 1 / 0),
        ]
    )
    with pytest.raises(ExecutionFailedError) as caught:
        failing.execute(services=in_memory)
    again = pickle.loads(pickle.dumps(caught.value))
    assert again.run_log.parameters["o"].value == "o"


def test_a_damaged_journal_is_reported_as_such():
    pipeline(lambda: 1, "x").execute(run_id="r1")
    path = Path(".run_log_store/r1.000001.jsonl")
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:1] + lines[2:]))  # the start of a step is missing
    with pytest.raises(Exception, match="damaged"):
        get_run_log("r1")


def test_a_slow_factory_is_called_once(in_memory):
    made = []

    def slow():
        made.append(1)
        time.sleep(0.05)
        return object()

    class App(RunContainer):
        thing = OncePerRun(slow)

    app = App()
    with RunScope(PipelineContext(**in_memory), app), ContextThreadPool(8) as pool:
        things = list(pool.map(lambda _: app.thing(), range(8)))
    assert len(set(map(id, things))) == len(made) == 1
