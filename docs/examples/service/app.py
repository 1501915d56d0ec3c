"""A service that runs a pipeline per request; what is a tenant's is theirs.

Start it in this folder, after `pip install fastapi uvicorn`, with

    uvicorn app:app --timeout-graceful-shutdown 5

and ask it, as one of the tenants below:

    curl -H 'X-Tenant: ada' -d '{"prompt": "hello world"}' \
         -H 'Content-Type: application/json' http://localhost:8000/answers

One container serves the application: it says how many runs there are at once. Tenants
take turns, see `limits`, and a client that hangs up ends its run. What is a tenant's
own overrides the container for the length of a request, or is given to the run; nothing
of a request is in the environment. Its tasks write no files: those of a task that does
would meet in the working directory of the server, if it had not `workspace="isolated"`.
"""

import asyncio
import json
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from dependency_injector import providers
from fastapi import APIRouter, Depends, FastAPI, Header, HTTPException, Request
from fastapi import Path as PathParameter
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, StreamingResponse
from limits import BodyLimit, Turns
from pipelines import PIPELINE
from pydantic import BaseModel, BeforeValidator, Field

from containers import RunContainer
from runnable import get_run_log, list_runs
from runnable.catalog.file_system import FileSystemCatalog
from runnable.concurrency import Runs
from runnable.datastore import RunLog
from runnable.datastore.file_system import FileSystemRunLogStore
from runnable.exceptions import (
    EngineBusyError,
    ExecutionCancelledError,
    ExecutionFailedError,
    RetryValidationError,
    RunLogNotFoundError,
    SecretNotFoundError,
)
from runnable.secrets import BaseSecrets

KEYS = {name: f"key-of-{name}-{number:04}" for number, name in enumerate("abc")}
KEYS |= {"ada": "ada-has-a-key", "bob": "bob-has-another"}
MOST_RUNS = 32
MOST_OF_ONE_TENANT = 16
MOST_WAITING = 64
MOST_BYTES = 100_000
T = TypeVar("T")


class AppContainer(RunContainer):
    """What all requests share."""

    runs = providers.ThreadSafeSingleton(Runs, max_runs=MOST_RUNS, when_busy="refuse")


class TenantSecrets(BaseSecrets):
    """The secrets of one tenant."""

    service_name: str = "tenant"
    tenant: str

    def get(self, name: str) -> str:
        if name != "API_KEY":
            raise SecretNotFoundError(name, f"the secrets of {self.tenant}")
        return KEYS[self.tenant]


def encodable(text: object) -> object:
    """Replace what JSON can say and nobody can send back: half a character."""
    if not isinstance(text, str):
        return text
    return text.encode(errors="replace").decode()


class Question(BaseModel):
    """What a client asks."""

    prompt: Annotated[str, Field(max_length=10_000), BeforeValidator(encodable)]


class Tenant:
    """Who asks, and where what is theirs is kept."""

    def __init__(self, name: str, root: Path) -> None:
        self.name = name
        place = root / name
        self.services = {
            "run_log_store": FileSystemRunLogStore(log_folder=str(place / "logs")),
            "catalog": FileSystemCatalog(catalog_location=str(place / "files")),
            "secrets": TenantSecrets(tenant=name),
        }


def turns_of(request: Request) -> Turns:
    return request.app.state.turns


def container_of(request: Request) -> AppContainer:
    return request.app.state.container


def who_asks(
    request: Request, x_tenant: Annotated[str, Header(description="Who asks.")]
) -> Tenant:
    if x_tenant not in KEYS:
        raise HTTPException(401, f"there is no tenant {x_tenant!r}")
    return Tenant(x_tenant, request.app.state.root)


Asking = Annotated[Tenant, Depends(who_asks)]
Shared = Annotated[AppContainer, Depends(container_of)]


@dataclass
class Asker:
    """Who asks, by which request, and what all requests share."""

    tenant: Asking
    shared: Shared
    turns: Annotated[Turns, Depends(turns_of)]
    request: Request


AnyAsker = Annotated[Asker, Depends()]
router = APIRouter()


def shown(run_log: RunLog) -> dict[str, object]:
    """Say of a run what a client is told."""
    values = {name: it.value for name, it in run_log.parameters.items()}
    return {
        "run_id": run_log.run_id,
        "status": run_log.status,
        "text": values.get("text"),
        "account": values.get("account"),
        "score": values.get("score"),
        "failed": [it.name for it in run_log.all_steps() if it.status == "FAIL"],
    }


@router.post("/answers")
async def ask(question: Question, asker: AnyAsker) -> dict[str, object]:
    """Run the pipeline in a thread of the server."""
    tenant, shared = asker.tenant, asker.shared
    run_id = f"answer-{uuid.uuid4().hex}"

    def execute() -> RunLog:
        return PIPELINE.execute(
            parameters=question.model_dump(),
            run_id=run_id,
            services=tenant.services,
            container=shared,
        )

    async def in_thread() -> RunLog:
        async with asker.turns.of(tenant.name):
            thread = asyncio.create_task(asyncio.to_thread(execute))
            try:
                return await asyncio.shield(thread)
            finally:
                while not thread.done():  # it may just be starting
                    shared.runs().cancel(run_id)
                    await asyncio.wait({thread}, timeout=0.05)

    return shown(await while_connected(asker.request, in_thread()))


@router.post("/answers/async")
async def ask_async(question: Question, asker: AnyAsker) -> dict[str, object]:
    """Run the pipeline on the event loop."""
    tenant, shared = asker.tenant, asker.shared

    async def on_the_loop() -> RunLog:
        parameters = question.model_dump()
        async with asker.turns.of(tenant.name):
            with shared.override_providers(**tenant.services):  # for this request only
                return await PIPELINE.execute_async(
                    parameters=parameters, container=shared
                )

    return shown(await while_connected(asker.request, on_the_loop()))


async def while_connected(request: Request, running: Coroutine[object, object, T]) -> T:
    """Await something that ends when the client hangs up."""
    answer = asyncio.create_task(running)
    gone = asyncio.create_task(hung_up(request))
    try:
        await asyncio.wait((answer, gone), return_when=asyncio.FIRST_COMPLETED)
    finally:
        gone.cancel()
        if not answer.done():
            answer.cancel()
    try:
        return await answer
    except asyncio.CancelledError:
        if not gone.done():
            raise
        raise HTTPException(499, "the client has gone") from None


async def hung_up(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


@router.post("/answers/stream")
async def stream(question: Question, asker: AnyAsker) -> StreamingResponse:
    """Run the pipeline, and send what happens as server-sent events."""
    tenant, shared = asker.tenant, asker.shared
    turn = AsyncExitStack()
    events = PIPELINE.execute_streaming(
        parameters=question.model_dump(),
        services=tenant.services,
        container=shared,
        lifecycle=True,
    )

    async def begin() -> dict[str, object]:
        try:
            await turn.enter_async_context(asker.turns.of(tenant.name))
            turn.push_async_callback(events.aclose)
            return await anext(events)  # what is refused gets that for an answer
        except BaseException:
            await turn.aclose()
            raise

    first = await while_connected(asker.request, begin())
    lines = as_lines(first, events, turn)
    return StreamingResponse(lines, media_type="text/event-stream")


TOLD = ("type", "at", "run_id", "path", "attempt", "status", "message")


async def as_lines(
    first: dict[str, object],
    events: AsyncGenerator[dict[str, object]],
    turn: AsyncExitStack,
) -> AsyncIterator[str]:
    """Write events as a client reads them; who hangs up ends the run."""
    try:
        yield as_line(first)
        async for event in events:
            yield as_line(event)
    except (ExecutionFailedError, ExecutionCancelledError) as error:
        yield as_line({"type": "error", "message": str(error)})
    finally:
        await turn.aclose()


def as_line(event: dict[str, object]) -> str:
    """Write an event; where the server keeps things is not for clients."""
    if "version" in event:  # it is none that a task has yielded
        event = {name: event[name] for name in TOLD if name in event}
    return f"event: {event['type']}\ndata: {json.dumps(event)}\n\n"


RunId = Annotated[str, PathParameter(pattern=r"^[\w-]{1,100}$")]
Status = Literal[
    "CREATED", "PROCESSING", "SUCCESS", "FAIL", "CANCELLED", "CRASHED", "DAMAGED"
]


@router.get("/runs")
def runs(tenant: Asking, status: Status | None = None) -> list[dict[str, object]]:
    """List the runs of a tenant."""
    found = list_runs(services=tenant.services, status=status or "")
    return [run._asdict() for run in found]


@router.get("/runs/{run_id}")
def run(run_id: RunId, tenant: Asking) -> dict[str, object]:
    """Show a run, finished or not."""
    return shown(get_run_log(run_id, services=tenant.services))


@router.post("/runs/{run_id}/cancel", status_code=202)
def cancel(run_id: RunId, tenant: Asking, shared: Shared) -> dict[str, object]:
    """End a run, whichever request started it."""
    get_run_log(run_id, services=tenant.services)  # it must be the tenant's own
    if not shared.runs().cancel(run_id):
        raise HTTPException(409, f"run {run_id!r} is not active")
    return {"run_id": run_id}


@router.post("/runs/{run_id}/resume")
def resume(run_id: RunId, tenant: Asking, shared: Shared) -> dict[str, object]:
    """Go on with a run that has failed, or was cancelled."""
    run_log = PIPELINE.execute(
        resume=run_id, services=tenant.services, container=shared
    )
    return shown(run_log)


STATUSES = {
    EngineBusyError: 503,
    ExecutionFailedError: 422,
    ExecutionCancelledError: 409,
    RetryValidationError: 409,
    RunLogNotFoundError: 404,
}


def explain(_: Request, error: Exception) -> JSONResponse:
    """Answer with what an error says, but not where the server keeps things."""
    status = next(it for kind, it in STATUSES.items() if isinstance(error, kind))
    headers = {"Retry-After": "1"} if status == 503 else {}
    text = "there is no such run" if status == 404 else str(error)
    content = {"detail": text, "run_id": getattr(error, "run_id", None)}
    return JSONResponse(content, status, headers)


def explain_request(_: Request, error: Exception) -> JSONResponse:
    """Say what is wrong with a request, but do not repeat it: JSON has no NaN."""
    found = error.errors() if isinstance(error, RequestValidationError) else ()
    problems = [{"loc": [*map(str, it["loc"])], "msg": it["msg"]} for it in found]
    return JSONResponse({"detail": problems}, 422)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """End the active runs when the server stops, and wait until that is recorded.

    A server waits for its requests first; `--timeout-graceful-shutdown` says how long.
    """
    yield
    runs_of_app = app.state.container.runs()
    await asyncio.to_thread(runs_of_app.shutdown, cancel=True, timeout_seconds=20)


def create_app(root: Path) -> FastAPI:
    """Make the application.

    Args:
        root: Where tenants have their folders.
    """
    made = FastAPI(lifespan=lifespan, title="answers")
    made.state.root, made.state.container = root, AppContainer()
    made.state.turns = Turns(MOST_RUNS, MOST_OF_ONE_TENANT, MOST_WAITING)
    made.add_middleware(BodyLimit, most_bytes=MOST_BYTES)
    made.include_router(router)
    made.add_exception_handler(RequestValidationError, explain_request)
    for kind in STATUSES:
        made.add_exception_handler(kind, explain)
    return made


app = create_app(Path("tenants").absolute())
