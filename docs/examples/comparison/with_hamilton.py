"""The pipeline in Hamilton: functions that are named after what they return."""

import sys

import work
from hamilton import driver
from hamilton.execution import executors
from hamilton.htypes import Collect, Parallelizable


def sales(shops: list[str]) -> list[list[float]]:
    return work.load(shops)


def sold(sales: list[list[float]]) -> Parallelizable[list[float]]:
    yield from sales


def forecast(sold: list[float], growth: float) -> float:
    return work.forecast(sold, growth)


def expected(forecast: Collect[float]) -> list[float]:
    return list(forecast)


def total(expected: list[float]) -> float:
    return work.add(expected)


if __name__ == "__main__":
    graph = (
        driver
        .Builder()
        .with_modules(sys.modules[__name__])
        .enable_dynamic_execution(allow_experimental_mode=True)
        .with_remote_executor(executors.MultiThreadingExecutor(max_tasks=4))
        .build()
    )
    inputs = {"shops": work.SHOPS, "growth": work.GROWTH}
    print("total", graph.execute(["total"], inputs=inputs)["total"])
