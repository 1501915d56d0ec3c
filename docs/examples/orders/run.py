"""Run the YAML pipeline from Python, as a service would."""

from pathlib import Path

from runnable import load_pipeline, summarise

HERE = Path(__file__).parent


def main() -> None:
    pipeline = load_pipeline(HERE / "pipeline.yaml")
    run_log = pipeline.execute(parameters={"regions": ["north", "south"]})
    print(summarise(run_log))
    print("best:", run_log.parameters["winner"].value)


if __name__ == "__main__":
    main()
