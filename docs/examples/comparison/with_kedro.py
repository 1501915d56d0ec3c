"""The pipeline in Kedro: nodes between named datasets; the shops are one node."""

import work
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import node, pipeline
from kedro.runner import SequentialRunner


def forecast_all(sales: list[list[float]], growth: float) -> list[float]:
    return [work.forecast(sold, growth) for sold in sales]


sales = pipeline([
    node(work.load, "params:shops", "sales"),
    node(forecast_all, ["sales", "params:growth"], "expected"),
    node(work.add, "expected", "total"),
])

if __name__ == "__main__":
    catalog = DataCatalog({
        "params:shops": MemoryDataset(work.SHOPS),
        "params:growth": MemoryDataset(work.GROWTH),
    })
    found = SequentialRunner().run(sales, catalog)
    print("total", found["total"].load())
