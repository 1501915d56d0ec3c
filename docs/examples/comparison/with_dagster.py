"""The pipeline in Dagster: a job of ops, with dynamic outputs for the shops."""

import work
from dagster import Config, DynamicOut, DynamicOutput, job, op


class Shops(Config):
    shops: list[str]


class Growth(Config):
    growth: float


@op(out=DynamicOut())
def load(config: Shops):
    for shop, sold in zip(config.shops, work.load(config.shops), strict=True):
        yield DynamicOutput(sold, mapping_key=shop)


@op
def forecast(sold: list[float], config: Growth) -> float:
    return work.forecast(sold, config.growth)


@op
def add(expected: list[float]) -> float:
    return work.add(expected)


@job
def sales():
    add(load().map(forecast).collect())


if __name__ == "__main__":
    ops = {
        "load": {"config": {"shops": work.SHOPS}},
        "forecast": {"config": {"growth": work.GROWTH}},
    }
    done = sales.execute_in_process(run_config={"ops": ops})
    print("total", done.output_for_node("add"))
