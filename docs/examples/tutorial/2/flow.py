"""The functions as a pipeline."""

from wines import load, score, train

from runnable import Pipeline, PythonTask, metric, pickled

pipeline = Pipeline(
    name="wines",
    steps=[
        PythonTask(function=load, returns=["measured", "growers"]),
        PythonTask(function=train, returns=[pickled("model")]),
        PythonTask(function=score, returns=[metric("accuracy")]),
    ],
)

if __name__ == "__main__":
    run_log = pipeline.run(strength=1.0)
    print("accuracy", round(run_log["accuracy"], 3))
