"""Forecasts: what eleven firms would have invested in the next three years.

Twenty years of investments of American firms (Grunfeld, 1958), which statsmodels brings
along. The firms are forecast in worker processes.
"""

from pathlib import Path

from runnable import Catalog, Map, Pipeline, PythonTask, metric


def load() -> list[dict[str, object]]:
    """Load what each firm has invested, year by year."""
    from statsmodels.datasets import grunfeld

    table = grunfeld.load_pandas().data
    return [
        {"firm": str(firm), "invested": rows["invest"].tolist()}
        for firm, rows in table.groupby("firm")
    ]


def forecast(firm: dict[str, object], years: int) -> tuple[dict[str, object], float]:
    """Forecast one firm; and how far the model was off in the last three years."""
    import numpy as np
    from statsmodels.tsa.holtwinters import SimpleExpSmoothing

    invested = np.array(firm["invested"])

    def next_after(series: "np.ndarray", count: int) -> "np.ndarray":
        model = SimpleExpSmoothing(series, initialization_method="estimated")
        return model.fit().forecast(count)

    tried = next_after(invested[:-3], 3)
    error = float(np.mean(np.abs(tried - invested[-3:]) / invested[-3:]))
    expected = [round(float(it), 1) for it in next_after(invested, years)]
    return {"firm": firm["firm"], "expected": expected}, error


def write(forecasts: list[dict[str, object]], errors: list[float]) -> float:
    """Write a table of all firms; return the mean error."""
    lines = [f"{it['firm']},{it['expected'][0]}" for it in forecasts]
    Path("forecasts.csv").write_text("\n".join(["firm,expected", *lines]) + "\n")
    return sum(errors) / len(errors)


def build() -> Pipeline:
    """Make the pipeline."""
    one = PythonTask(function=forecast, returns=["forecasts", "errors"])
    return Pipeline(
        name="investments",
        steps=[
            PythonTask(function=load, returns=["firms"]),
            Map(
                name="each",
                iterate_on="firms",
                iterate_as="firm",
                branch=one.as_pipeline(),
                parallelism="process",
                max_workers=2,
            ),
            PythonTask(
                function=write,
                returns=[metric("mean_error")],
                catalog=Catalog(put=["forecasts.csv"]),
            ),
        ],
    )


if __name__ == "__main__":
    run_log = build().execute(parameters={"years": 3})
    print(f"forecasts.csv: on the average {run_log['mean_error']:.0%} off")
