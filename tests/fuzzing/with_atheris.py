"""Fuzz one reader for as long as you like, guided by coverage.

    pip install atheris
    python tests/fuzzing/with_atheris.py READER [options of libFuzzer]

READER is one of pipeline, configuration, parameters, journal and snapshot. It stops at
the first input that raises an error which is not ours, takes more than a second, or more
than 200 MB: `-timeout=1 -rss_limit_mb=...` are set, above what the process has at first.
"""

import os
import resource
import sys
import tempfile
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

with atheris.instrument_imports(include=["runnable", "containers", "yaml"]):
    import fuzzed


def main() -> None:
    reader, *options = sys.argv[1:] or ["pipeline"]
    os.chdir(tempfile.mkdtemp())
    fuzzed.survives(reader, b"")
    used_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    limits = ["-timeout=1", f"-rss_limit_mb={used_mb + 200}"]
    atheris.Setup(
        [sys.argv[0], *limits, *options], lambda data: fuzzed.survives(reader, data)
    )
    atheris.Fuzz()


if __name__ == "__main__":
    main()
