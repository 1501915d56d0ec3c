"""Hand measurements to a notebook, and get its results and its figures back.

The notebook stays as its author left it; a copy with outputs is in the catalog.
"""

from pathlib import Path

from sklearn.datasets import load_breast_cancer

from runnable import NotebookTask, Pipeline, PythonTask, metric, summarise

NOTEBOOK = Path(__file__).with_name("report.ipynb")


def load(measure: str = "mean radius") -> tuple[str, dict[str, list[float]]]:
    """Return one measurement of each patient, by kind of tumour."""
    data = load_breast_cancer(as_frame=False)
    column = data.data[:, list(data.feature_names).index(measure)]
    kinds = {"malignant": 0, "benign": 1}
    return measure, {
        kind: column[data.target == label].tolist() for kind, label in kinds.items()
    }


def build() -> Pipeline:
    """Return the pipeline."""
    return Pipeline(
        steps=[
            PythonTask(name="load", function=load, returns=["measure", "values"]),
            NotebookTask(
                name="report",
                notebook=str(NOTEBOOK),
                returns=["means", metric("difference")],
            ),
        ]
    )


def main() -> Pipeline:
    """Run it, and say what came of it."""
    pipeline = build()
    run_log = pipeline.execute()
    print(summarise(run_log))
    print(f"Notebook: .catalog/{run_log.run_id}/report-report_out.ipynb")
    return pipeline


if __name__ == "__main__":
    main()
