"""A file is kept with each run, and parameters come from outside."""

from pathlib import Path

from wines import load, score, train

from runnable import Catalog, Pipeline, PythonTask, metric, pickled


def report(accuracy: float, strength: float) -> None:
    """Write what people want to read."""
    text = f"# Wines\n\n{accuracy:.1%} are right, with strength {strength}.\n"
    Path("report.md").write_text(text)


pipeline = Pipeline(
    name="wines",
    steps=[
        PythonTask(function=load, returns=["measured", "growers"]),
        PythonTask(function=train, returns=[pickled("model")]),
        PythonTask(function=score, returns=[metric("accuracy")]),
        PythonTask(function=report, catalog=Catalog(put=["report.md"])),
    ],
)

if __name__ == "__main__":
    pipeline.execute()
