"""Pipelines with all that pages show: failures, branches, files, hostile names."""

import json
import time
from pathlib import Path

from runnable import (
    Catalog,
    Map,
    Parallel,
    Pipeline,
    PythonTask,
    Stub,
    metric,
    pickled,
)

HOSTILE = (
    "<script>window.hacked = 1</script>",
    "<img src=x onerror='window.hacked = 1'>",
    "\"'><svg onload=window.hacked=1>",
    "javascript:window.hacked=1",
    "{{ 7 * 7 }}",
    "\x1b[31mred\x1b[0m \u202egnp.exe",
)
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010804000000b51c0c02"
    "0000000b4944415478da6364f80f00010501012718e3660000000049454e44ae426082"
)


def load(rows: int) -> list[int]:
    """Write files of several kinds."""
    print("loading", rows, "rows")
    lines = [f"n{number},{number},{HOSTILE[1]}" for number in range(30)]
    Path("rows.csv").write_text("\n".join(["name,age,note", *lines]))
    Path("summary.json").write_text(json.dumps({"rows": rows, "note": HOSTILE[0]}))
    Path("page.html").write_text(HOSTILE[0])
    Path("picture.png").write_bytes(PIXEL)
    return list(range(4))


def fit(fold: int, rate: float) -> float:
    """Return a score."""
    print(f"fold {fold} at {rate}")
    return 0.8 + fold * rate


def best(scores: list[float]) -> tuple[float, dict[str, str], str]:
    """Print what nobody should run."""
    print("\n".join(HOSTILE))
    return max(scores), {"model": "linear"}, HOSTILE[0]


def publish(fail: bool) -> None:
    """Fail, if it is wanted."""
    if fail:
        raise ConnectionError(f"the registry does not answer {HOSTILE[1]}")


def pipeline() -> Pipeline:
    """Return the pipeline."""
    put = ["rows.csv", "summary.json", "page.html", "picture.png"]
    folds = PythonTask(name="fit", function=fit, returns=["scores"]).as_pipeline()
    returns = [metric("auc"), pickled("model"), "note"]
    publishing = PythonTask(
        name="publish <b>", function=publish, retries=1
    ).as_pipeline()
    return Pipeline(
        name="train <i>model</i>",
        steps=[
            PythonTask(
                name="load", function=load, returns=["folds"], catalog=Catalog(put=put)
            ),
            Map(name="folds", branch=folds, iterate_on="folds", iterate_as="fold"),
            PythonTask(name="best", function=best, returns=returns),
            Parallel(
                name="finish",
                branches={
                    HOSTILE[1]: publishing,
                    "report": Stub(name="report").as_pipeline(),
                },
            ),
        ],
    )


def run(number: int, *, fail: bool, tag: str = "") -> None:
    """Run it, as the run `run-NUMBER`."""
    given = {"rows": 10 * number, "rate": 0.01 * number, "fail": fail}
    try:
        pipeline().execute(parameters=given, run_id=f"run-{number}", tag=tag)
    except Exception as error:
        if not fail:
            raise error from None


def slow() -> None:
    """Print, until it may end."""
    for number in range(6000):
        print("line", number, flush=True)
        if Path("go-on").exists():
            return
        time.sleep(0.1)


def main() -> None:
    """Execute a pipeline whose second step waits."""
    steps = [Stub(name="first"), PythonTask(name="slow", function=slow)]
    Pipeline(name="slow", steps=steps).execute()


def failing() -> None:
    """Fail, unless there is a file."""
    print("trying")
    if not Path("mended").exists():
        raise ValueError("not mended yet")


def mending() -> None:
    """Execute a pipeline that can be mended."""
    step = PythonTask(name="failing", function=failing)
    Pipeline(name="mending", steps=[step]).execute()
