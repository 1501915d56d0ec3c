"""A service that runs a pipeline per request; what is a tenant's is theirs.

Start it in this folder with

    uvicorn app:app

and ask it, as one of the tenants below:

    curl -H 'X-Tenant: ada' -d '{"prompt": "hello world"}' \
         -H 'Content-Type: application/json' http://localhost:8000/answers

One container serves the application: it says how many runs there are at once. What is
a tenant's own overrides it for the length of a request, or is given to the run; nothing
of a request is in the environment.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

from dependency_injector import providers
from fastapi import APIRouter, Depends, FastAPI, Header, HTTPException, Request
from fastapi.responses import JSONResponse, StreamingResponse
from pipelines import PIPELINE
from pydantic import BaseModel

from containers import RunContainer
from runnable import get_run_log, list_runs
from runnable.catalog.file_system import FileSystemCatalog
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
from runnable.runs import Runs
from runnable.secrets import BaseSecrets

KEYS = {name: f"key-of-{name}-{number:04}" for number, name in enumerate("abc")}
KEYS |= {"ada": "ada-has-a-key", "bob": "bob-has-another"}
MOST_RUNS = 32


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


class Question(BaseModel):
    """What a client asks."""

    prompt: str


class Tenant:
    """Who asks, and where what is theirs is kept."""

    def __init__(self, name: str, root: Path) -> None:
        place = root / name
        self.services = {
            "run_log_store": FileSystemRunLogStore(log_folder=str(place / "logs")),
            "catalog": FileSystemCatalog(catalog_location=str(place / "files")),
            "secrets": TenantSecrets(tenant=name),
        }


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
    }


@router.post("/answers")
def ask(question: Question, tenant: Asking, shared: Shared) -> dict[str, object]:
    """Run the pipeline in a thread of the server."""
    with shared.override_providers(**tenant.services):  # for this request only
        run_log = PIPELINE.execute(parameters=question.model_dump(), container=shared)
    return shown(run_log)


@router.post("/answers/async")
async def ask_async(
    question: Question, tenant: Asking, shared: Shared
) -> dict[str, object]:
    """Run the pipeline on the event loop."""
    with shared.override_providers(**tenant.services):
        run_log = await PIPELINE.execute_async(
            parameters=question.model_dump(), container=shared
        )
    return shown(run_log)


@router.post("/answers/stream")
async def stream(
    question: Question, tenant: Asking, shared: Shared
) -> StreamingResponse:
    """Run the pipeline, and send what happens as server-sent events."""
    if len(shared.runs().active()) >= MOST_RUNS:
        raise EngineBusyError("runs", MOST_RUNS)  # before the answer has begun
    events = PIPELINE.execute_streaming(
        parameters=question.model_dump(),
        services=tenant.services,
        container=shared,
        lifecycle=True,
    )
    return StreamingResponse(as_lines(events), media_type="text/event-stream")


async def as_lines(events: AsyncGenerator[dict[str, object]]) -> AsyncIterator[str]:
    """Write events as a client reads them; who hangs up ends the run."""
    try:
        async for event in events:
            yield f"event: {event['type']}\ndata: {json.dumps(event)}\n\n"
    except (ExecutionFailedError, ExecutionCancelledError) as error:
        said = {"type": "error", "error": str(error)}
        yield f"event: error\ndata: {json.dumps(said)}\n\n"
    finally:
        await events.aclose()


@router.get("/runs")
def runs(tenant: Asking, status: str = "") -> list[dict[str, object]]:
    """List the runs of a tenant."""
    found = list_runs(services=tenant.services, status=status)
    return [run._asdict() for run in found]


@router.get("/runs/{run_id}")
def run(run_id: str, tenant: Asking) -> dict[str, object]:
    """Show a run, finished or not."""
    return shown(get_run_log(run_id, services=tenant.services))


@router.post("/runs/{run_id}/cancel", status_code=202)
def cancel(run_id: str, tenant: Asking, shared: Shared) -> dict[str, object]:
    """End a run, whichever request has begun it."""
    get_run_log(run_id, services=tenant.services)  # it must be the tenant's own
    if not shared.runs().cancel(run_id):
        raise HTTPException(409, f"run {run_id!r} is not under way")
    return {"run_id": run_id}


@router.post("/runs/{run_id}/resume")
def resume(run_id: str, tenant: Asking, shared: Shared) -> dict[str, object]:
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
    """Answer with what an error says."""
    status = STATUSES[type(error)]
    headers = {"Retry-After": "1"} if status == 503 else {}
    content = {"error": str(error), "run_id": getattr(error, "run_id", None)}
    return JSONResponse(content, status, headers)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """End what goes on when the server stops, and wait until that is recorded."""
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
    made.include_router(router)
    for kind in STATUSES:
        made.add_exception_handler(kind, explain)
    return made


app = create_app(Path("tenants").absolute())
