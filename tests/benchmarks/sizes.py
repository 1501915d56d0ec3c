"""How long the journal and the readable run log are, compared with what was returned.

Run as `python tests/benchmarks/sizes.py [STEPS ...]`. Each step returns 1,000 numbers; in
the second table, each is also given one large parameter. The ratios stay flat.
"""

import json
import os
import random
import sys
import tempfile
from pathlib import Path

from runnable import Pipeline, PythonTask

STEPS = (10, 50, 200)


def numbers(seed: int) -> list[float]:
    """Return 1,000 numbers that no other step returns."""
    return [round(random.Random(seed * 1000 + n).random(), 6) for n in range(1000)]


def measure(steps: int, *, large: bool) -> tuple[int, int, int]:
    """Execute a pipeline.

    Returns:
        Bytes of the JSON of what was returned and given, of the journal, and of the
        readable run log.
    """

    def step(number: int) -> PythonTask:
        def work(big: object = None) -> list[float]:
            del big
            return numbers(number)

        return PythonTask(name=f"s{number}", function=work, returns=[f"x{number}"])

    given = {"big": numbers(-1) * 10} if large else {}
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        pipeline = Pipeline(steps=[step(number) for number in range(steps)])
        run_log = pipeline.execute(run_id="r1", parameters=given)
        values = {name: it.value for name, it in run_log.parameters.items()}
        (journal,) = Path(".run_log_store").glob("*.jsonl")
        sizes = journal.stat().st_size, Path(".run_log_store/r1.json").stat().st_size
        os.chdir("/")
    return len(json.dumps(values)), *sizes


def main() -> None:
    """Print a table for each of the two pipelines."""
    counts = [int(it) for it in sys.argv[1:]] or STEPS
    for large in (False, True):
        print("with a large parameter" if large else "without a large parameter")
        print(f"{'steps':>6} {'returned':>10} {'journal':>18} {'readable':>18}")
        for steps in counts:
            returned, journal, readable = measure(steps, large=large)
            print(
                f"{steps:6} {returned:10,} {journal:10,} {journal / returned:6.2f}x "
                f"{readable:10,} {readable / returned:6.2f}x"
            )


if __name__ == "__main__":
    main()
