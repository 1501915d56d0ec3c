"""Frameworks that dependency-injector knows are not imported, and still recognised."""

import textwrap

import pytest
import scripts


def printed(code: str) -> str:
    ran = scripts.run(textwrap.dedent(code))
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()


@pytest.mark.parametrize("first", ["runnable.scope.injection", "containers"])
def test_no_framework_is_imported(first):
    code = f"""
        import sys, {first}
        known = ("fastapi", "starlette", "werkzeug", "fast_depends")
        print([it for it in known if it in sys.modules])
    """
    assert printed(code) == "[]"


INJECTED = """
    from dependency_injector import containers, providers
    from dependency_injector.wiring import Provide, inject
    from fastapi import Depends, FastAPI, Request
    from fastapi.testclient import TestClient
    from typing import Annotated

    class App(containers.DeclarativeContainer):
        answer = providers.Object("injected")

    app = FastAPI()

    @app.get("/")
    @inject
    def read(request: Request, answer: str = Depends(Provide[App.answer])) -> str:
        return answer + request.url.path

    made = App()
    made.wire(modules=[__name__])
    print(TestClient(app).get("/").json())
"""


@pytest.mark.parametrize(
    "first",
    ["", "import runnable.scope.injection", "import fastapi, runnable.scope.injection"],
)
def test_markers_in_a_web_application_are_found(first):
    assert printed(f"{first}\n{textwrap.dedent(INJECTED)}") == "injected/"


def test_proxies_are_left_alone():
    code = """
        import runnable.scope.injection
        from types import ModuleType
        from dependency_injector import containers
        from werkzeug.local import LocalProxy

        def nobody():
            raise RuntimeError("nothing is bound here")

        module = ModuleType("application")
        module.current = LocalProxy(nobody)
        containers.DynamicContainer().wire(modules=[module])
        print("wired")
    """
    assert printed(code) == "wired"


def test_threads_that_import_at_once_get_whole_modules():
    code = """
        import threading
        found, go = [], threading.Barrier(3)

        def use(name, attribute):
            go.wait()
            module = __import__(name, fromlist=[attribute])
            found.append(getattr(module, attribute).__module__)

        for it in [("fastapi.params", "Depends"), ("runnable", "Provide"),
                   ("dependency_injector.wiring", "inject")]:
            threading.Thread(target=use, args=it).start()
        for it in threading.enumerate()[1:]:
            it.join()
        print(len(found), "fastapi.params" in found)
    """
    assert printed(code) == "3 True"
