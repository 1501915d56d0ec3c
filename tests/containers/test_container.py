"""Containers: what providers answer, what overrides do, and what is drawn."""

import threading
from contextlib import contextmanager

import pytest
from dependency_injector import providers

import containers
from containers import FromRun, OncePerRun, RunContainer, container
from runnable import Pipeline, Provide, PythonTask, Stub, inject
from runnable.catalog.do_nothing import DoNothingCatalog
from runnable.context import (
    ContextThreadPool,
    PipelineContext,
    RunScope,
    propagate,
    set_run_context,
)
from runnable.exceptions import ConfigurationError
from runnable.scope.injection import connect
from runnable.secrets import BaseSecrets
from runnable.secrets.do_nothing import DoNothingSecrets

SERVICES = (
    "catalog",
    "secrets",
    "pickler",
    "run_log_store",
    "pipeline_executor",
    "run_context",
    "run_id",
)


class FakeSecrets(BaseSecrets):
    """Answers with one text."""

    value: str = "fake"

    def get(self, name: str) -> str:
        return self.value


def scope(run_id="r1", **more):
    context = PipelineContext(
        run_id=run_id,
        run_log_store={"type": "memory"},
        catalog={"type": "do-nothing"},
        secrets={"type": "do-nothing"},
    )
    return RunScope(context, **more)


class TestProviders:
    """They answer with what the run of the caller has."""

    @pytest.mark.parametrize("name", [*SERVICES, "job_executor"])
    def test_outside_a_run(self, name):
        with pytest.raises(RuntimeError) as caught:
            getattr(container, name)()
        text = str(caught.value)
        assert text.startswith("No run context available in current execution context")
        assert repr(name) in text

    def test_inside_a_run(self):
        with scope("r1"):
            context = container.run_context()
            assert container.run_id() == "r1"
            for name in SERVICES[:5]:
                assert getattr(container, name)() is getattr(context, name)

    def test_the_error_of_a_leaked_run_names_it(self):
        with scope("r1"):
            late = propagate(container.run_id)
            assert late() == "r1"
        with pytest.raises(RuntimeError, match="'r1', current here, is over"):
            late()

    def test_the_error_in_a_foreign_thread_names_the_cures(self):
        messages = []

        def ask():
            try:
                container.run_id()
            except RuntimeError as error:
                messages.append(str(error))

        with scope():
            thread = threading.Thread(target=ask, name="mine")
            thread.start()
            thread.join()

        assert "Thread 'mine'" in messages[0]
        assert "propagate(function)" in messages[0]
        assert "ContextThreadPool" in messages[0]


class TestOverrides:
    """They hold for the current context only."""

    def test_a_with_block(self):
        fake = FakeSecrets()
        with scope():
            with container.secrets.override(fake) as active:
                assert active is fake
                assert container.secrets() is fake
            assert isinstance(container.secrets(), DoNothingSecrets)

    def test_several_at_once(self):
        fake, catalog = FakeSecrets(), DoNothingCatalog()
        with container.override_providers(secrets=fake, catalog=catalog):
            assert container.secrets() is fake
            assert container.catalog() is catalog
        assert container.secrets.overridden == ()

    def test_a_provider_overrides_too(self):
        with container.secrets.override(providers.Factory(FakeSecrets, value="new")):
            assert container.secrets().value == "new"
            assert container.secrets() is not container.secrets()

    def test_they_nest_and_end_in_any_order(self):
        outer = container.run_id.override("outer")
        inner = container.run_id.override("inner")
        assert container.run_id() == "inner"
        with outer:
            pass
        assert container.run_id() == "inner"
        with inner:
            pass
        assert container.run_id.overridden == ()

    def test_reset(self):
        container.run_id.override("a")
        container.run_id.override("b")
        container.run_id.reset_last_overriding()
        assert container.run_id() == "a"
        container.run_id.reset_override()
        assert container.run_id.overridden == ()

    def test_another_container(self):
        class Test(containers.RunContainer):
            secrets = providers.Object(FakeSecrets())

        container.override(Test())
        try:
            assert container.secrets().value == "fake"
        finally:
            container.reset_override()

    def test_other_threads_do_not_see_them(self):
        seen = []
        with container.run_id.override("mine"):
            thread = threading.Thread(
                target=lambda: seen.append(container.run_id.overridden)
            )
            thread.start()
            thread.join()
            carried = threading.Thread(
                target=propagate(lambda: seen.append(container.run_id()))
            )
            carried.start()
            carried.join()
        assert seen == [(), "mine"]

    def test_everywhere_on_request(self):
        seen = []
        container.run_id.override_everywhere("all")
        try:
            thread = threading.Thread(target=lambda: seen.append(container.run_id()))
            thread.start()
            thread.join()
        finally:
            container.run_id.reset_everywhere()
        assert seen == ["all"]
        with pytest.raises(RuntimeError):
            container.run_id()

    def test_an_override_wins_over_configuration(self, in_memory):
        @inject
        def ask(*, secrets: BaseSecrets = Provide["secrets"]) -> str:
            return secrets.get("x")[::-1]

        pipeline = Pipeline(
            steps=[PythonTask(name="s", function=ask, returns=["seen"])]
        )
        services = {**in_memory, "secrets": {"type": "do-nothing"}}
        with container.secrets.override(FakeSecrets()):
            run_log = pipeline.execute(services=services)
        assert run_log.parameters["seen"].value == "ekaf"

    def test_an_instance_that_was_given_is_not_closed(self, in_memory):
        class Closing(FakeSecrets):
            closed: bool = False

            def close(self):
                self.closed = True

        mine = Closing()
        Pipeline(steps=[Stub(name="s")]).execute(
            services={**in_memory, "secrets": mine}
        )
        assert not mine.closed


class TestOncePerRun:
    """A service of the user's own, made once in each run and closed with it."""

    def test_made_once_and_closed_last_to_first(self, in_memory):
        events = []

        class Session:
            def __init__(self, run_id):
                self.run_id = run_id
                events.append(f"open session {run_id}")

            def close(self):
                events.append(f"close session {self.run_id}")

        def open_cache(session):
            events.append(f"open cache {session.run_id}")
            yield {"session": session}
            events.append(f"close cache {session.run_id}")

        class App(RunContainer):
            session = OncePerRun(Session, run_id=RunContainer.run_id)
            cache = OncePerRun(open_cache, session)

        @inject
        def work(
            *, cache: dict = Provide["cache"], session: Session = Provide["session"]
        ) -> str:
            assert cache["session"] is session
            return session.run_id

        pipeline = Pipeline(
            steps=[
                PythonTask(name="a", function=work, returns=["x"]),
                PythonTask(name="b", function=work, returns=["x"]),
            ]
        )
        app = App()
        for run_id in ("r1", "r2"):
            run_log = pipeline.execute(services=in_memory, run_id=run_id, container=app)
            assert run_log.parameters["x"].value == run_id

        assert events == [
            f"{what} {run_id}"
            for run_id in ("r1", "r2")
            for what in ("open session", "open cache", "close cache", "close session")
        ]

    def test_threads_of_one_run_share_it(self):
        made = []

        class App(RunContainer):
            thing = OncePerRun(lambda: made.append(1) or object())

        app = App()
        with scope(container=app):
            ask = propagate(app.thing)
            found = []
            threads = [
                threading.Thread(target=lambda: found.append(ask())) for _ in range(8)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert len(made) == 1
        assert len(set(map(id, found))) == 1

    def test_a_context_manager_sees_the_failure(self):
        seen = []

        @contextmanager
        def open_transaction():
            try:
                yield "open"
            except ValueError as error:
                seen.append(str(error))
                raise

        class App(RunContainer):
            transaction = OncePerRun(open_transaction)

        app = App()
        with pytest.raises(ValueError, match="bad"), scope(container=app):
            assert app.transaction() == "open"
            raise ValueError("bad")
        assert seen == ["bad"]

    def test_it_can_be_overridden(self):
        class App(RunContainer):
            thing = OncePerRun(object)

        app = App()
        with scope(container=app), app.thing.override("fake"):
            assert app.thing() == "fake"

    def test_two_instances_have_overrides_of_their_own(self):
        first, second = RunContainer(), RunContainer()
        with first.run_id.override("x"):
            assert first.run_id() == "x"
            assert second.run_id.overridden == ()


class TestMarkers:
    """`Provide[...]`, wired where it is defined."""

    def test_functions_methods_coroutines_and_generators(self):
        class Thing:
            @inject
            def method(self, *, run_id: str = Provide["run_id"]) -> str:
                return run_id

            @staticmethod
            @inject
            def static(*, run_id: str = Provide["run_id"]) -> str:
                return run_id

        @inject
        def generate(*, run_id: str = Provide["run_id"]):
            yield run_id

        with scope("r1"):
            assert Thing().method() == Thing.static() == next(generate()) == "r1"
            assert Thing().method(run_id="mine") == "mine"

    def test_functions_of_no_module(self):
        namespace = {"inject": inject, "Provide": Provide}
        exec(
            "@inject\ndef ask(*, run_id=Provide['run_id']):\n    return run_id",
            namespace,
        )
        with scope("r1"):
            assert namespace["ask"]() == "r1"

    async def test_coroutine_functions(self):
        @inject
        async def ask(*, run_id: str = Provide["run_id"]) -> str:
            return run_id

        with scope("r1"):
            assert await ask() == "r1"

    def test_the_error_of_an_unknown_marker_suggests_a_service(self):
        @inject
        def ask(*, x: object = Provide["catalgo"]) -> object:
            return x

        try:
            with scope(), pytest.raises(ConfigurationError) as caught:
                ask()
            assert "Provide['catalgo'] names no service" in str(caught.value)
            assert "Did you mean 'catalog'?" in str(caught.value)
            (finding,) = [it for it in containers.validate() if "catalgo" in it]
            assert "ask(x) asks for 'catalgo'" in finding
        finally:
            from runnable.scope.injection import _points

            for key in [key for key in _points if "catalgo" in _points[key].service]:
                del _points[key]

    def test_the_error_of_an_unwired_marker_names_the_cure(self):
        def forgot(*, catalog=Provide["catalog"]):
            return catalog.get("x")

        with pytest.raises(
            RuntimeError, match=r"decorate|Decorate .* @runnable.inject"
        ):
            forgot()

    def test_markers_are_keyword_only(self):
        with pytest.raises(TypeError, match="keyword-only"):

            @inject
            def wrong(catalog=Provide["catalog"]):
                pass

    def test_inject_without_a_marker(self):
        with pytest.raises(TypeError, match="no marked argument"):
            inject(lambda: None)

    def test_attributes_of_a_service(self):
        @inject
        def ask(*, tag: str = Provide["run_context.provided.tag"]) -> str:
            return tag

        context = PipelineContext(run_id="r1", tag="nightly")
        with RunScope(context):
            assert ask() == "nightly"

    def test_dependency_injectors_own_markers_work_too(self):
        import types

        from dependency_injector.wiring import Provide as TheirProvide
        from dependency_injector.wiring import inject as their_inject

        module = types.ModuleType("their_module")

        @their_inject
        def ask(run_id=TheirProvide["run_id"]):
            return run_id

        ask.__module__ = module.__name__
        module.ask = ask
        container.wire(modules=[module])
        with scope("r1"):
            assert module.ask() == "r1"
        container.unwire()

    def test_user_functions_ask_and_the_binder_leaves_them_alone(self, in_memory):
        @inject
        def work(x: int, *, run_id: str = Provide["run_id"], **rest: int) -> dict:
            return {"x": x, "run_id": run_id, **rest}

        pipeline = Pipeline(steps=[PythonTask(name="s", function=work, returns=["r"])])
        run_log = pipeline.execute(
            services=in_memory,
            run_id="r1",
            parameters={"x": 1, "y": 2, "run_id": "not this"},
        )
        assert run_log.parameters["r"].value == {"x": 1, "y": 2, "run_id": "r1"}


def test_the_diagram_shows_the_markers_of_each_function():
    class App(RunContainer):
        tenant: FromRun[str] = FromRun("tag")
        session = OncePerRun(dict, tenant=tenant)

    lines = containers.graph(App()).splitlines()

    assert lines[0] == "flowchart LR"
    assert "    session([session])" in lines
    assert "    session --> tenant" in lines
    assert any(
        "_loader_of_run" in line and line.endswith("--> catalog") for line in lines
    )


def test_functions_decorated_before_the_root_was_loaded_are_wired(monkeypatch):
    from runnable.scope import injection

    wire = injection._wire
    monkeypatch.setattr(injection, "_wire", None)

    @inject
    def early(*, run_id: str = Provide["run_id"]) -> str:
        return run_id

    connect(wire)
    with scope("r1"):
        assert early() == "r1"
    assert early.__module__ == __name__


def test_threads_may_decorate_at_once():
    def decorate(number: int) -> str:
        found = []
        for _ in range(30):

            @inject
            def ask(*, run_id: str = Provide["run_id"]) -> str:
                return run_id

            found.append(ask())
        return str(set(found))

    with scope("r1"), ContextThreadPool(8) as pool:
        assert set(pool.map(decorate, range(8))) == {"{'r1'}"}


def test_a_thousand_contexts_do_not_chain():
    for number in range(1000):
        last = PipelineContext(run_id=f"r{number}")
    from runnable.scope import current_scope

    assert current_scope().run.context is last
    assert current_scope().run.before.run is None
    set_run_context(None)
