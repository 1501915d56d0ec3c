"""Which grower does a wine come from? Ordinary functions; see the tutorial."""

from typing import Any


def load() -> tuple[list[list[float]], list[int]]:
    """Load 178 wines: what chemists have measured, and who has grown them."""
    from sklearn.datasets import load_wine

    wines = load_wine()
    return wines.data.tolist(), wines.target.tolist()


def train(measured: list[list[float]], growers: list[int], strength: float) -> Any:
    """Train a model on every other wine."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), LogisticRegression(C=strength))
    return model.fit(measured[::2], growers[::2])


def score(model: Any, measured: list[list[float]], growers: list[int]) -> float:
    """Return how many of the other wines the model gets right, from 0 to 1."""
    return float(model.score(measured[1::2], growers[1::2]))
