"""A step that joins a run reads what is new, and not the whole journal."""

from tests.benchmarks import joining


def test_records_are_decoded_a_few_times_however_many_there_are():
    ratios = []
    for steps in (10, 40, 80):
        decoded, records, _ = joining.measure(steps)
        ratios.append(decoded / records)
    assert max(ratios) < 6
    assert ratios[-1] <= ratios[0] + 1
