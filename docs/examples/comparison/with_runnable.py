"""The pipeline in runnable."""

from work import GROWTH, SHOPS, add, forecast, load

from runnable import Map, Pipeline, PythonTask, metric

each = Map(
    name="each",
    iterate_on="sales",
    iterate_as="sold",
    branch=PythonTask(function=forecast, returns=["expected"]).as_pipeline(),
)
pipeline = Pipeline(
    steps=[
        PythonTask(function=load, returns=["sales"]),
        each,
        PythonTask(function=add, returns=[metric("total")]),
    ]
)

if __name__ == "__main__":
    run_log = pipeline.run(shops=SHOPS, growth=GROWTH)
    print("total", run_log["total"])
