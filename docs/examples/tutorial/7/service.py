"""A service that runs the pipeline for each request, many at once."""

from dependency_injector import providers
from fastapi import FastAPI
from flow import pipeline

from containers import RunContainer
from runnable.concurrency import Runs


class AppContainer(RunContainer):
    """At most eight runs at once; the others wait."""

    runs = providers.ThreadSafeSingleton(Runs, max_runs=8)


app, container = FastAPI(), AppContainer()


@app.post("/best")
async def best(strengths: list[float]) -> dict[str, object]:
    """Return the strength that did best, and how well."""
    run_log = await pipeline.execute_async(
        parameters={"strengths": strengths}, container=container
    )
    return {
        "run_id": run_log.run_id,
        **run_log.metrics,
        "strength": run_log["strength"],
    }
