"""What describes runs to a workflow engine, and what cannot be described."""

from pathlib import Path

from runnable import Pipeline, PythonTask
from runnable.executor import BasePipelineExecutor, ExecutionOptions, RenderRequest


class Describing(BasePipelineExecutor):
    """Writes the names of the steps."""

    service_name: str = "describing"
    output_file: str = "steps.txt"

    @property
    def options(self) -> ExecutionOptions:
        return ExecutionOptions(renderer=self)

    def render(self, request: RenderRequest) -> str:
        assert request.reference.definition == "flows:build"
        values = {name: it.value for name, it in request.parameters.items()}
        return f"{list(request.graph.nodes)} {values} {request.resumed}"


def build():
    task = PythonTask(name="s", function=lambda x=0: x)
    return Pipeline(steps=[task], reference="flows:build")


def test_a_manifest_is_written_and_nothing_is_run():
    log = build().execute(
        services={"pipeline_executor": Describing()}, parameters={"x": 1}
    )
    assert log.status == "CREATED"
    assert "nothing has been run" in log.run_config["instead"]
    assert Path("steps.txt").read_text() == "['s', 'success', 'fail'] {'x': 1} "
    assert not Path(".run_log_store").exists()


async def test_a_manifest_is_written_by_asynchronous_code():
    services = {"pipeline_executor": Describing()}
    log = await build().execute_async(services=services)
    assert log.status == "CREATED"
    assert Path("steps.txt").exists()
