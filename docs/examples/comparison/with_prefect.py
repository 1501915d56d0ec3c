"""The pipeline in Prefect 3: a function that calls tasks."""

import work
from prefect import flow, task, unmapped

load, forecast, add = task(work.load), task(work.forecast), task(work.add)


@flow
def sales(shops: list[str], growth: float) -> float:
    expected = forecast.map(load(shops), growth=unmapped(growth))
    return add(expected.result())


if __name__ == "__main__":
    print("total", sales(work.SHOPS, work.GROWTH))
