"""Make the pictures of the web page and of the console for the documentation.

    PYTHONPATH=. python docs/screenshots.py

Runs the pipelines of `tests/ui/flow.py` in a folder of its own, and takes a picture of
each page, light and dark, in `docs/pictures`. Needs Chromium.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from io import BytesIO
from pathlib import Path

from PIL import Image

from tests.support import web

ROOT = Path(__file__).parents[1]
TARGET = ROOT / "docs" / "pictures"
SIZE = {"width": 1180, "height": 760}
COLOURS = 128
SCRIPT = """
import time
from pathlib import Path
from runnable import (
    Catalog, Map, Parallel, Pipeline, PythonTask, Stub, metric, pickled
)

def load(rows: int) -> list[int]:
    print("reading", rows, "rows")
    lines = [f"customer {it},{it * 7 % 90},{it * 13 % 100 / 100}" for it in range(40)]
    Path("customers.csv").write_text("\\n".join(["name,age,score", *lines]))
    return list(range(12))

def fit(fold: int, rate: float) -> float:
    print(f"fold {fold}, learning rate {rate}")
    time.sleep(0.02 * (fold % 3 + 1))
    return 0.9 + fold * rate / 100

def choose(scores: list[float]) -> tuple[float, dict]:
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot
    pyplot.figure(figsize=(6, 3))
    pyplot.bar(range(len(scores)), scores)
    pyplot.ylim(0.85, 1)
    pyplot.title("score of each fold")
    pyplot.savefig("scores.png")
    return max(scores), {"model": "linear"}

def publish(fail: bool) -> None:
    print("connecting to the registry")
    if fail:
        raise ConnectionError("the registry does not answer: models.example:443")

def report() -> None:
    time.sleep(0.15)

folds = PythonTask(name="fit", function=fit, returns=["scores"]).as_pipeline()
publishing = PythonTask(
    name="publish", function=publish, retries=2, retry_delay=0.05
).as_pipeline()
PIPELINE = Pipeline(name="train model", steps=[
    PythonTask(name="load", function=load, returns=["folds"],
               catalog=Catalog(put=["customers.csv"])),
    Map(name="folds", branch=folds, iterate_on="folds", iterate_as="fold"),
    PythonTask(name="choose", function=choose,
               returns=[metric("auc"), pickled("model")],
               catalog=Catalog(put=["scores.png"])),
    Parallel(name="finish", branches={
        "publish": publishing,
        "report": PythonTask(name="report", function=report).as_pipeline(),
    }),
    Stub(name="done"),
])

def run(number: int) -> None:
    given = {"rows": 1000 * number, "rate": 0.1 * number, "fail": number % 4 == 3}
    try:
        PIPELINE.execute(parameters=given, tag="nightly" if number % 2 else "try")
    except Exception as error:
        print(error)

if __name__ == "__main__":
    for number in range(1, 10):
        run(number)
"""


def pages() -> dict[str, str]:
    """Return the address of each page, by the name of its picture."""
    from runnable import list_runs

    runs = list_runs()
    failed = next(it.run_id for it in runs if it.status == "FAIL")
    good = [it.run_id for it in runs if it.status == "SUCCESS"]
    compared = "&".join(f"run={it}" for it in [*good[:3], failed])
    return {
        "runs": "",
        "run": f"run/{failed}",
        "graph": f"run/{failed}?tab=graph",
        "timeline": f"run/{failed}?tab=timeline",
        "logs": f"run/{failed}?tab=logs",
        "parameters": f"run/{good[0]}?tab=parameters",
        "metrics": f"run/{good[0]}?tab=metrics",
        "artifacts": f"run/{good[0]}?tab=artifacts",
        "artifact": f"run/{good[0]}/artifact?key=scores.png",
        "attempts": f"run/{failed}?tab=attempts",
        "configuration": f"run/{good[0]}?tab=configuration",
        "compare": f"compare?{compared}",
        "pipelines": "pipelines",
        "pipeline": "pipeline?name=train%20model",
    }


def save(content: bytes, path: Path) -> None:
    """Write a picture with few colours, which is a quarter of its size."""
    picture = Image.open(BytesIO(content)).convert("RGB")
    picture.quantize(COLOURS).save(path, optimize=True)


def main() -> None:
    """Make all pictures."""
    TARGET.mkdir(exist_ok=True)
    Path("pipeline.py").write_text(SCRIPT)
    quiet = subprocess.DEVNULL
    subprocess.run([sys.executable, "pipeline.py"], check=True, stdout=quiet)
    with web.served("--allow-actions") as address, web.browser() as browser:
        base = address.partition("token/")[0]
        for scheme in ("light", "dark"):
            context = browser.new_context(color_scheme=scheme, viewport=SIZE)
            page = context.new_page()
            page.goto(address)
            for name, path in pages().items():
                page.goto(base + path)
                page.wait_for_timeout(800)
                save(page.screenshot(), TARGET / f"{name}-{scheme}.png")


if __name__ == "__main__":
    if reason := web.why_not():
        sys.exit(reason)
    # It is seen in the pictures.
    folder = Path(tempfile.gettempdir()) / "demo"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    os.chdir(folder)
    main()
