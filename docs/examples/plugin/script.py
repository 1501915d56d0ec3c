"""The same pipeline as in pipeline.yaml, in Python."""

from pathlib import Path

from runnable_sql.steps import Twice

from runnable import Pipeline, ShellTask, Task, pickled


def main() -> Pipeline:
    query = Task(
        name="sum",
        command_type="sql",
        command="select :left + :right",
        returns=[pickled("total")],
    )
    report = ShellTask(
        name="report",
        command='echo "the password has ${#PASSWORD} letters"',
        secrets=["PASSWORD"],
    )
    pipeline = Pipeline(
        steps=[Twice(name="both", branch=query.as_pipeline()), report], name="sums"
    )
    here = Path(__file__).parent
    run_log = pipeline.execute(parameters_file=str(here / "parameters.yaml"))
    print("total:", run_log.parameters["total"].get_value())
    return pipeline


if __name__ == "__main__":
    main()
