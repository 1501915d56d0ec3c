"""Choose a model: every candidate is cross-validated at once, the best is kept.

Real clinical data (569 breast masses, 30 measurements each), which scikit-learn brings
along. Run it with

    python docs/examples/model_selection/pipeline.py

It prints what every candidate reached, and leaves the run log and the chosen model in
the current folder.
"""

import sys

from runnable import (
    Conditional,
    ExecutionFailedError,
    Map,
    Parallel,
    Pipeline,
    PythonTask,
    get_run_log,
    metric,
    pickled,
    summarise,
)
from runnable.datastore import RunLog

CANDIDATES = [
    {"kind": "logistic", "strength": 0.1},
    {"kind": "logistic", "strength": 1.0},
    {"kind": "forest", "trees": 50},
    {"kind": "neighbours", "count": 5},
]


def load():
    """Load the measurements and the diagnoses."""
    from sklearn.datasets import load_breast_cancer

    return load_breast_cancer(return_X_y=True)


def make_model(candidate: dict):
    """Make an untrained model of what describes it."""
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    match candidate:
        case {"kind": "logistic", "strength": strength}:
            model = LogisticRegression(C=strength, max_iter=1000)
        case {"kind": "forest", "trees": trees}:
            model = RandomForestClassifier(trees, random_state=0)
        case {"kind": "neighbours", "count": count}:
            model = KNeighborsClassifier(count)
        case _:
            raise ValueError(f"there is no model like {candidate}")
    return make_pipeline(StandardScaler(), model)


def validate(candidate: dict, features, diagnosis) -> float:
    """Return the mean accuracy over five folds."""
    from sklearn.model_selection import cross_val_score

    scores = cross_val_score(make_model(candidate), features, diagnosis, cv=5)
    print(f"{candidate}: {scores.mean():.4f} (from {scores.min():.4f})")
    return float(scores.mean())


def baseline(diagnosis) -> float:
    """Return the accuracy of always saying the more frequent diagnosis."""
    share = float(diagnosis.mean())
    return max(share, 1 - share)


def choose(candidates: list, accuracy: list, guess: float):
    """Choose the best candidate, and say whether it is worth training."""
    best = max(range(len(candidates)), key=lambda at: accuracy[at])
    verdict = "good" if accuracy[best] > guess + 0.1 else "poor"
    return candidates[best], accuracy[best], verdict


def train(chosen: dict, features, diagnosis):
    """Train the chosen model on everything."""
    return make_model(chosen).fit(features, diagnosis)


def give_up(chosen: dict, guess: float) -> None:
    """Say that nothing is better than guessing."""
    raise RuntimeError(f"{chosen} is hardly better than guessing ({guess:.2f})")


def build() -> Pipeline:
    """Return the pipeline."""
    try_one = PythonTask(
        name="validate", function=validate, returns=["accuracy"], retries=1
    )
    candidates = Map(
        name="candidates",
        branch=try_one.as_pipeline(),
        iterate_on="candidates",
        iterate_as="candidate",
    )
    guess = PythonTask(name="guess", function=baseline, returns=[metric("guess")])
    return Pipeline(
        name="model selection",
        steps=[
            PythonTask(
                name="load",
                function=load,
                returns=[pickled("features"), pickled("diagnosis")],
            ),
            Parallel(
                name="judge",
                branches={
                    "models": candidates.as_pipeline(),
                    "baseline": guess.as_pipeline(),
                },
            ),
            PythonTask(
                name="choose",
                function=choose,
                returns=["chosen", metric("best accuracy"), "verdict"],
            ),
            Conditional(
                name="decide",
                parameter="verdict",
                branches={
                    "good": PythonTask(
                        name="train", function=train, returns=[pickled("model")]
                    ).as_pipeline(),
                    "poor": PythonTask(name="give up", function=give_up).as_pipeline(),
                },
            ),
        ],
    )


def main() -> RunLog:
    """Run it, and print how it went."""
    run_log = build().execute(parameters={"candidates": CANDIDATES})
    print(summarise(run_log))
    model = get_run_log(run_log.run_id).parameters["model"].get_value()
    print(f"The model is {model.steps[-1][1]}")
    return run_log


if __name__ == "__main__":
    try:
        main()
    except ExecutionFailedError as error:
        sys.exit(str(error))
