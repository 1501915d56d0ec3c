"""Images: find the digits that a model confuses, and draw them.

1,797 scanned digits of 8 x 8 pixels, which scikit-learn brings along.
"""

from pathlib import Path
from typing import Any

from runnable import Catalog, Map, Pipeline, PythonTask, metric, pickled


def load() -> tuple[Any, Any]:
    """Load the pictures, and which digit each one shows."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    return digits.images, digits.target


def train(images: Any, labels: Any) -> tuple[Any, list[int], float]:
    """Learn from one half of the pictures, and look at the other one."""
    from sklearn.svm import SVC

    half = len(images) // 2
    flat = images.reshape(len(images), -1)
    model = SVC(gamma=0.001).fit(flat[:half], labels[:half])
    seen = model.predict(flat)
    wrong = [it for it in range(half, len(images)) if seen[it] != labels[it]]
    return seen, wrong[:6], 1 - len(wrong) / (len(images) - half)


def draw(number: int, images: Any, labels: Any, seen: Any) -> str:
    """Draw one picture, large; return its file."""
    import matplotlib.image

    file = Path(f"digit-{number}-is-{labels[number]}-seen-as-{seen[number]}.png")
    large = images[number].repeat(16, axis=0).repeat(16, axis=1)
    matplotlib.image.imsave(file, -large, cmap="gray")
    return str(file)


def build() -> Pipeline:
    """Make the pipeline."""
    drawing = PythonTask(
        function=draw,
        returns=["pictures"],
        catalog=Catalog(put=["digit-*.png"]),
        workspace="isolated",  # so that a branch sees its own pictures only
    )
    return Pipeline(
        name="digits",
        steps=[
            PythonTask(function=load, returns=[pickled("images"), pickled("labels")]),
            PythonTask(
                function=train,
                returns=[pickled("seen"), "wrong", metric("accuracy")],
            ),
            Map(
                name="each",
                iterate_on="wrong",
                iterate_as="number",
                branch=drawing.as_pipeline(),
            ),
        ],
    )


if __name__ == "__main__":
    run_log = build().execute()
    print(f"accuracy {run_log['accuracy']:.3f}; confused:", *run_log["pictures"])
