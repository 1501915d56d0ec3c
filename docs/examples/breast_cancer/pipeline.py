"""Tell malignant from benign tumours, as a tracked pipeline.

The data are scikit-learn's bundled clinical data set: 569 patients, 30 measurements of
cell nuclei each. The functions below know nothing of pipelines.
"""

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from pydantic import BaseModel
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, recall_score, roc_auc_score, roc_curve
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline as Model
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from runnable import Catalog, Pipeline, PythonTask, metric, pickled, summarise

mpl.use("agg")  # draws into files; needs no screen

Array = np.ndarray


class Split(BaseModel):
    """How the patients are divided."""

    test_share: float = 0.25
    seed: int = 7


def load() -> tuple[Array, Array, list[str]]:
    """Return measurements, shape (569, 30), labels (1 = malignant) and names."""
    data = load_breast_cancer()
    malignant = (data.target == 0).astype(int)
    print(f"{malignant.sum()} of {len(malignant)} tumours are malignant")
    return data.data, malignant, [str(name) for name in data.feature_names]


def split(measurements: Array, malignant: Array, how: Split) -> tuple[dict, dict]:
    """Divide the patients, keeping the share of malignant tumours."""
    x_train, x_test, y_train, y_test = train_test_split(
        measurements,
        malignant,
        test_size=how.test_share,
        random_state=how.seed,
        stratify=malignant,
    )
    return {"x": x_train, "y": y_train}, {"x": x_test, "y": y_test}


def train(train_set: dict, regularisation: float = 1.0) -> Model:
    """Fit a regularised logistic regression."""
    model = make_pipeline(
        StandardScaler(), LogisticRegression(C=regularisation, max_iter=1000)
    )
    return model.fit(train_set["x"], train_set["y"])


def evaluate(model: Model, test_set: dict) -> tuple[Array, float, float, float]:
    """Score the patients that the model has not seen."""
    scores = model.predict_proba(test_set["x"])[:, 1]
    predicted = scores > 0.5
    return (
        scores,
        accuracy_score(test_set["y"], predicted),
        recall_score(test_set["y"], predicted),
        roc_auc_score(test_set["y"], scores),
    )


def draw(scores: Array, test_set: dict, roc_auc: float, picture: str) -> None:
    """Draw the ROC curve as a PNG."""
    figure = Figure(figsize=(5, 5), layout="constrained")
    axes = figure.subplots()
    false_positives, true_positives, _ = roc_curve(test_set["y"], scores)
    axes.plot(false_positives, true_positives, label=f"model (AUC {roc_auc:.3f})")
    axes.plot([0, 1], [0, 1], "k--", label="chance")
    axes.set(
        title="Malignant or benign",
        xlabel="share of benign tumours called malignant",
        ylabel="share of malignant tumours found",
    )
    axes.legend(loc="lower right")
    figure.savefig(picture, dpi=120)


def build() -> Pipeline:
    """Put the functions in order and say what they return."""
    return Pipeline(
        name="breast cancer",
        steps=[
            PythonTask(
                name="load",
                function=load,
                returns=[pickled("measurements"), pickled("malignant"), "features"],
            ),
            PythonTask(
                name="split",
                function=split,
                returns=[pickled("train_set"), pickled("test_set")],
            ),
            PythonTask(name="train", function=train, returns=[pickled("model")]),
            PythonTask(
                name="evaluate",
                function=evaluate,
                returns=[
                    pickled("scores"),
                    metric("accuracy"),
                    metric("recall"),
                    metric("roc_auc"),
                ],
            ),
            PythonTask(
                name="draw", function=draw, catalog=Catalog(put=["roc_curve.png"])
            ),
        ],
    )


def main() -> Pipeline:
    """Run the pipeline and say how it went."""
    pipeline = build()
    run_log = pipeline.execute(
        parameters={"how": {"test_share": 0.25}, "picture": "roc_curve.png"}
    )
    print(summarise(run_log))
    return pipeline


if __name__ == "__main__":
    main()
