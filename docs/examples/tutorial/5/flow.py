"""Several strengths at once; the best one is kept."""

from wines import load, score, train

from runnable import Map, Pipeline, PythonTask, metric, pickled


def choose(strengths: list[float], accuracy: list[float]) -> tuple[float, float]:
    """Choose the strength that did best."""
    best = max(accuracy)
    return strengths[accuracy.index(best)], best


one = Pipeline(
    steps=[
        PythonTask(function=train, returns=[pickled("model")]),
        PythonTask(function=score, returns=["accuracy"]),
    ]
)
pipeline = Pipeline(
    name="wines",
    steps=[
        PythonTask(function=load, returns=["measured", "growers"]),
        Map(name="try", iterate_on="strengths", iterate_as="strength", branch=one),
        PythonTask(function=choose, returns=["strength", metric("best")]),
    ],
)

if __name__ == "__main__":
    pipeline.execute()
