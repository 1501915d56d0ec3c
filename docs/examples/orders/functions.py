"""Ordinary functions; nothing in here knows of pipelines."""

import csv
from pathlib import Path


def load(regions: list[str]) -> int:
    """Write a file of orders, as a shop would export it; return their number."""
    rows = [
        (region, number, round(7.5 * number, 2))
        for region in regions
        for number in range(1, 5)
    ]
    with Path("orders.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["region", "number", "amount"])
        writer.writerows(rows)
    return len(rows)


def total(region: str) -> dict[str, object]:
    """Sum up one region."""
    with Path("orders.csv").open() as file:
        amounts = [
            float(row["amount"])
            for row in csv.DictReader(file)
            if row["region"] == region
        ]
    return {"region": region, "orders": len(amounts), "amount": sum(amounts)}


def best(totals: list[dict[str, object]]) -> str:
    """Return the region that has sold most; the first one of several."""
    return str(max(totals, key=lambda total: float(str(total["amount"])))["region"])


def is_large(rows: int, limit: int = 10) -> str:
    """Say which branch is to be taken."""
    return "large" if rows > limit else "small"
