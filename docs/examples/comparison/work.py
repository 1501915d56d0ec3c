"""The work itself, the same for all: plain functions."""

SALES = {
    "north": [10.0, 12.0, 14.0],
    "south": [20.0, 20.0, 20.0],
    "west": [5.0, 7.0, 9.0],
}
SHOPS = ["north", "south", "west"]
GROWTH = 1.5


def load(shops: list[str]) -> list[list[float]]:
    """Return what each shop has sold."""
    return [SALES[shop] for shop in shops]


def forecast(sold: list[float], growth: float) -> float:
    """Expect as much as on the average, and a bit more."""
    return sum(sold) / len(sold) * growth


def add(expected: list[float]) -> float:
    """Return what all shops together will sell."""
    return sum(expected)
