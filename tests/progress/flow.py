"""A pipeline whose steps wait for files, so that a test sees them running."""

import sys

from runnable import Map, Parallel, Pipeline, PythonTask, Stub, metric
from tests.support.terminal import wait_for_file


def clean() -> int:
    print("cleaning \x1b[32mgreen\x1b[0m")
    return 7


def fit(fold: int) -> int:
    print(f"fold {fold}")
    if fold >= 3:
        wait_for_file("go-on")
    if fold == 3:
        raise ValueError("bad \x1b[31mfold\x1b[0m [red]3[/red]\nsecond line")
    return fold


tried: list[int] = []


def flaky() -> None:
    tried.append(1)
    if len(tried) < 3:
        raise ValueError("not yet")
    wait_for_file("go-on")


def pipeline(*, name: str = "demo", folds: int = 8) -> Pipeline:
    """Return a pipeline of all there is to show."""
    branch = PythonTask(name="fit", function=fit, returns=["score"]).as_pipeline()
    both = Parallel(
        name="both",
        branches={
            "flaky": PythonTask(name="try", function=flaky, retries=3).as_pipeline(),
            "folds": Map(
                name="fits",
                branch=branch,
                iterate_on="folds",
                iterate_as="fold",
                max_workers=6,
            ).as_pipeline(),
        },
    )
    steps = [
        PythonTask(name="clean", function=clean, returns=[metric("rows")]),
        both,
        *(Stub(name=f"after {number}") for number in range(6)),
    ]
    return Pipeline(name=name, steps=steps)


def main() -> None:
    """Run it, as a script does that shows progress itself."""
    parameters = {"folds": list(range(8))}
    pipeline().execute(parameters=parameters, progress="--progress" in sys.argv)


if __name__ == "__main__":
    main()
