"""Tests of the pipeline: functions alone, steps replaced, nothing on disk."""

from flow import choose, pipeline

from runnable.testing import assert_succeeded, replaced

IN_MEMORY = {"run_log_store": {"type": "memory"}, "catalog": {"type": "do-nothing"}}


def test_the_best_strength_is_chosen():
    assert choose([1.0, 2.0], [0.5, 0.9]) == (2.0, 0.9)


def test_the_whole_pipeline_without_training():
    quick = replaced(
        pipeline,
        load=lambda: ([[0.0]], [0]),
        train=lambda strength: strength,
        score=lambda model: 1 - model,
    )
    run_log = quick.execute(parameters={"strengths": [0.5, 0.25]}, services=IN_MEMORY)
    assert_succeeded(run_log)
    assert len(run_log.steps["try"].branches) == 2
    assert run_log.outputs["strength"] == 0.25
