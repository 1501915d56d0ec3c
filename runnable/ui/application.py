"""The application: its addresses, and who answers them."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from importlib.resources import files

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from runnable.datastore.errors import RunLogNotFoundError
from runnable.errors import DefinitionError, RunnableError
from runnable.ui.actions import Actions
from runnable.ui.artifacts import Artifacts
from runnable.ui.library import Library
from runnable.ui.live import Live
from runnable.ui.pages import ListPages
from runnable.ui.run_pages import RunPages
from runnable.ui.security import Guard
from runnable.ui.templates import Templates

_KINDS = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}


def make_app(library: Library, token: str, hosts: Sequence[str] | None) -> Starlette:
    """Make the application.

    Args:
        library: The runs.
        token: Whoever has it may act; empty if nobody may.
        hosts: The names by which it may be asked; any if None.
    """
    templates = Templates(library.location, token)
    lists, runs = ListPages(library, templates), RunPages(library, templates)
    artifacts, actions = (
        Artifacts(library, templates),
        Actions(library, templates, token),
    )

    async def refused(request: Request, error: Exception) -> Response:
        is_unknown = isinstance(error, RunLogNotFoundError | DefinitionError)
        status = 404 if is_unknown else 500
        return await templates.problem(request, str(error), status=status)

    async def unknown(request: Request, error: Exception) -> Response:
        del error
        return await templates.problem(request, "There is no such page.", status=404)

    routes = [
        Route("/", lists.runs, name="runs"),
        Route("/compare", lists.compare, name="compare"),
        Route("/pipelines", lists.pipelines, name="pipelines"),
        Route("/pipeline", lists.pipeline, name="pipeline"),
        Route("/token/{token}", actions.sign_in, name="sign_in"),
        Route("/static/{name}", _static, name="static"),
        Route("/run/{run_id}", runs.run, name="run"),
        Route("/run/{run_id}/timeline", runs.timeline, name="timeline"),
        Route("/run/{run_id}/events", Live(library).events, name="events"),
        Route("/run/{run_id}/artifact", artifacts.preview, name="artifact"),
        Route("/run/{run_id}/content", artifacts.content, name="content"),
        Route("/run/{run_id}/{action}", actions.act, methods=["POST"], name="act"),
    ]

    @asynccontextmanager
    async def lifespan(application: Starlette) -> AsyncGenerator[None]:
        del application
        yield
        library.close()

    return Starlette(
        routes=routes,
        lifespan=lifespan,
        middleware=[Middleware(Guard, hosts=hosts)],
        exception_handlers={RunnableError: refused, 404: unknown},
    )


async def _static(request: Request) -> Response:
    """Send a file of this package."""
    name = request.path_params["name"]
    folder = files("runnable.ui").joinpath("static")
    known = {
        it.name: it
        for place in (folder, folder.joinpath("vendor"))
        for it in place.iterdir()
        if it.name.endswith(tuple(_KINDS))
    }
    if name not in known:
        return PlainTextResponse("There is no such file.", 404)
    content = await run_in_threadpool(known[name].read_bytes)
    kind = next(it for suffix, it in _KINDS.items() if name.endswith(suffix))
    return Response(content, media_type=kind, headers={"Cache-Control": "max-age=3600"})
