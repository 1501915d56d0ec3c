"""ETL: wines are read, cleaned, loaded into SQLite, and asked about.

178 wines of three growers with what chemists measured, which scikit-learn brings along.
Loading is tried again if the database is locked, and does not add a wine twice.
"""

import sqlite3
from contextlib import closing

from runnable import Catalog, Pipeline, PythonTask, metric

CREATE = """
create table if not exists wines (
    id integer primary key, grower integer, alcohol real, magnesium real
)
"""


def extract() -> list[dict[str, float]]:
    """Read the wines."""
    from sklearn.datasets import load_wine

    table = load_wine(as_frame=True).frame
    return table[["target", "alcohol", "magnesium"]].to_dict("records")


def transform(
    wines: list[dict[str, float]], most: float
) -> tuple[list[list[float]], int]:
    """Leave out what cannot be true, and number the rest."""
    good = [it for it in wines if 0 < it["magnesium"] <= most]
    rows = [
        [number, it["target"] + 1, it["alcohol"], it["magnesium"]]
        for number, it in enumerate(good, 1)
    ]
    return rows, len(wines) - len(good)


def load(rows: list[list[float]]) -> int:
    """Write the rows into the database; once more changes nothing."""
    with closing(sqlite3.connect("wines.db")) as database, database:
        database.execute(CREATE)
        database.executemany("insert or replace into wines values (?, ?, ?, ?)", rows)
        return int(database.execute("select count(*) from wines").fetchone()[0])


def ask() -> dict[str, float]:
    """Ask how strong the wines of each grower are."""
    question = "select grower, avg(alcohol) from wines group by grower order by grower"
    with closing(sqlite3.connect("wines.db")) as database:
        answer = database.execute(question).fetchall()
    return {f"grower {grower}": round(alcohol, 2) for grower, alcohol in answer}


def build() -> Pipeline:
    """Make the pipeline."""
    return Pipeline(
        name="wines",
        steps=[
            PythonTask(function=extract, returns=["wines"]),
            PythonTask(function=transform, returns=["rows", metric("left_out")]),
            PythonTask(
                function=load,
                returns=[metric("loaded")],
                retries=3,
                retry_delay=1.0,
                catalog=Catalog(put=["wines.db"]),
            ),
            PythonTask(function=ask, returns=["alcohol"]),
        ],
    )


if __name__ == "__main__":
    run_log = build().execute(parameters={"most": 150})
    print(run_log["loaded"], "wines;", run_log["alcohol"])
