"""A step that fails: the prices are not there yet."""

import csv
from pathlib import Path

from wines import load, score, train

from runnable import Pipeline, PythonTask, metric, pickled


def price(accuracy: float) -> float:
    """Say what a mistake costs: each grower has a price."""
    with Path("prices.csv").open() as file:
        prices = [float(row["price"]) for row in csv.DictReader(file)]
    return round((1 - accuracy) * max(prices), 2)


pipeline = Pipeline(
    name="wines",
    steps=[
        PythonTask(function=load, returns=["measured", "growers"]),
        PythonTask(function=train, returns=[pickled("model")]),
        PythonTask(function=score, returns=[metric("accuracy")]),
        PythonTask(function=price, returns=[metric("cost")]),
    ],
)

if __name__ == "__main__":
    pipeline.execute()
