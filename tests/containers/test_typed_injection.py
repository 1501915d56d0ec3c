"""Services that are found by their type, and markers that nothing can answer."""

import gc
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest
from dependency_injector import providers

import containers
import runnable.containers
from runnable import Provide, PythonTask, inject, provide
from runnable.catalog import BaseCatalog
from runnable.containers import OncePerRun, RunContainer, container, validate
from runnable.context import PipelineContext
from runnable.datastore import BaseRunLogStore
from runnable.exceptions import ConfigurationError, ExecutionFailedError
from runnable.scope import injection
from runnable.secrets import BaseSecrets

IN_MEMORY = {"run_log_store": {"type": "memory"}, "catalog": {"type": "do-nothing"}}


@pytest.fixture(autouse=True)
def only_here():
    """Markers of these tests are gone after them."""
    before = dict(injection._points)
    for key in [it for it in before if it[0].startswith("tests.")]:
        del injection._points[key]  # of containers that are gone
    yield
    injection._points.clear()
    injection._points.update(before)


class Session:
    pass


class PooledSession(Session):
    pass


class HasName(Protocol):
    name: str


class AppContainer(RunContainer):
    session = OncePerRun(PooledSession)


def run(function, **more):
    pipeline = PythonTask(name="s", function=function, returns=["x"]).as_pipeline()
    services = more.pop("services", IN_MEMORY)
    return pipeline.execute(services=services, **more).outputs["x"]


def test_the_same_names_in_both_places():
    assert set(runnable.containers.__all__) == set(containers.__all__)
    for name in containers.__all__:
        assert getattr(runnable.containers, name) is getattr(containers, name)


def test_services_of_a_run():
    @inject
    def ask(
        *,
        catalog: BaseCatalog = provide(BaseCatalog),
        store: BaseRunLogStore = provide(BaseRunLogStore),
        context: PipelineContext = provide(PipelineContext),
    ):
        return [catalog.service_name, store.service_name, context.run_id]

    assert run(ask, run_id="r1") == ["do-nothing", "buffered", "r1"]


def test_services_of_an_application_by_their_base_class():
    @inject
    def ask(*, session: Session = provide(Session)):
        return type(session).__name__

    assert run(ask, container=AppContainer()) == "PooledSession"


def test_overrides_hold():
    class Fake(BaseSecrets):
        def get(self, name):
            return f"the fake {name}"

    @inject
    def ask(*, secrets: BaseSecrets = provide(BaseSecrets)):
        return secrets.get("TOKEN").upper()

    with container.secrets.override(Fake()):
        assert run(ask) == "THE FAKE TOKEN"


def make_session() -> Session:
    return Session()


@pytest.mark.parametrize(
    "provider",
    [
        providers.Factory(Session),
        providers.ThreadSafeSingleton(PooledSession),
        providers.Callable(make_session),
        providers.Object(Session()),
    ],
)
def test_kinds_of_providers(provider):
    own = RunContainer()
    own.set_provider("mine", provider)

    @inject
    def ask(*, session: Session = provide(Session)):
        return isinstance(session, Session)

    assert run(ask, container=own)


def test_none_or_several():
    @inject
    def ask(*, session: Session = provide(Session)):
        return type(session).__name__

    with pytest.raises(ConfigurationError, match="finds no service"):
        ask()
    several = AppContainer()
    several.set_provider("other", providers.Factory(Session))
    with pytest.raises(ExecutionFailedError, match=r"several services: .*Name one of"):
        run(ask, container=several, run_id="r1")

    @inject
    def ask_one(*, session: Session = provide(Session, "other")):
        return type(session).__name__

    assert run(ask_one, container=several) == "Session"


def test_only_classes():
    with pytest.raises(TypeError, match="needs a class"):
        provide("catalog")
    with pytest.raises(TypeError, match="needs a class"):
        provide(lambda: 1)
    with pytest.raises(TypeError, match="by a protocol"):
        provide(HasName)
    assert provide(HasName, "catalog").provider == "catalog"


class TestTheFirstRun:
    def test_refuses_what_nothing_answers(self):
        @inject
        def one(*, x: object = Provide["catalgo"]):
            return x

        @inject
        def two(*, x: int = provide(int)):
            return x

        @inject
        def three(*, secrets: BaseSecrets = Provide["catalog"]):
            return secrets

        with pytest.raises(ConfigurationError) as caught:
            run(lambda: 1, container=RunContainer(), run_id="r1")
        text = str(caught.value)
        assert "one(x) asks for 'catalgo'. Did you mean 'catalog'?" in text
        assert "two(x) asks for a int: provide(int) finds no service" in text
        assert (
            "asks for 'catalog' and is annotated BaseSecrets, which it is not" in text
        )
        assert len(text.splitlines()) == 4

    def test_is_enough(self):
        used = RunContainer()
        assert run(lambda: 1, container=used) == 1

        @inject
        def late(*, x: object = Provide["catalgo"]):
            return x

        assert run(lambda: 1, container=used) == 1
        with pytest.raises(ConfigurationError):
            run(lambda: 1, container=RunContainer())

    def test_lets_other_containers_have_services_of_their_own(self):
        @inject
        def ask(*, session: Session = Provide["session"]):
            return session

        @inject
        def typed(*, session: Session = provide(Session)):
            return session

        assert run(lambda: 1, container=RunContainer()) == 1
        assert any("'session'" in it for it in validate())
        assert not [it for it in validate(AppContainer()) if "ession" in it]

    def test_protocols_and_names_of_type_checkers_are_nothing_to_compare(self):
        @inject
        def ask(*, catalog: HasName = Provide["catalog"]):
            return catalog

        @inject
        def other(*, catalog: "NotImported" = Provide["catalog"]):  # noqa: F821
            return catalog

        assert run(lambda: 1, container=RunContainer()) == 1

    def test_what_is_right_or_not_known_is_let_through(self):
        def make() -> Iterator:
            yield Session()

        class Own(RunContainer):
            made = providers.Factory(Session)
            seconds = providers.Object(3)
            placeholder = providers.Object(None)
            resource = providers.Resource(make)

        @inject
        def ask(
            *,
            made: Any = Provide["made"],
            seconds: float = Provide["seconds"],
            later: Session = Provide["placeholder"],
            resource: Session = Provide["resource"],
        ):
            return [made, seconds, later, resource]

        own = Own()
        own.made.override(providers.Factory(dict))
        assert run(lambda: 1, container=own) == 1
        assert [it for it in validate(own) if "test_typed" in it] == []

    def test_knows_the_services_that_a_container_was_given(self):
        other = RunContainer()
        other.set_provider("queue", providers.Factory(list))

        @inject
        def ask(*, queue: list = Provide["queue"]):
            return queue

        assert run(lambda: 1, container=RunContainer()) == 1

    def test_nothing_of_the_library_is_wrong(self):
        known = [it for it in validate() if it.startswith(("runnable", "containers"))]
        assert known == []


def test_in_another_program(tmp_path):
    script = Path(tmp_path / "flow.py")
    script.write_text(
        "from runnable import Provide, PythonTask, inject\n"
        "@inject\n"
        "def work(*, catalog=Provide['catalgo']): return 1\n"
        "PythonTask(function=work).as_pipeline().execute()\n"
    )
    command = [sys.executable, "-m", "runnable.cli", "execute", str(script)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 2
    assert "work(catalog) asks for 'catalgo'. Did you mean 'catalog'?" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_container_that_is_gone_is_no_reason_to_refuse(only_here):
    class Local(RunContainer):
        only_there = providers.Factory(dict)

    @inject
    def ask(*, there: dict = Provide["only_there"]):
        return there

    local = Local()
    assert run(ask, container=local) == {}
    del Local, local
    gc.collect()
    assert run(lambda: 1, container=RunContainer()) == 1
