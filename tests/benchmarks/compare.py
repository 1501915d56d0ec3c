"""Compare speed and memory with `runnable` 0.50.0, both measured here and now.

    make bench                     everything; some minutes, most for the older version
    make bench QUICK=1             without the older version's longest runs

The older version is installed into an environment of its own. CPU is that of the best of
several rounds, since other programs on the machine only ever add to it. Imports are
measured in turns, so that a busy moment hurts all of them alike.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
OLD = ROOT / "build" / "bench" / "v050"
WORKER = Path(__file__).with_name("worker.py")
SIZES = (10, 100, 1000)
ROUNDS = {10: 40, 100: 15, 1000: 5}
OLD_ROUNDS = {10: 3, 100: 1, 1000: 1}
OLD_LIMIT_SECONDS = 60 if os.environ.get("QUICK") else 900
TARGETS = {"memory": 100, "file-system": 300}

PYDANTIC = "from pydantic import BaseModel\nimport dependency_injector.wiring"
IMPORTS = {
    "bare Python": "pass",
    "import runnable": "import runnable",
    "pydantic and wiring, imported": PYDANTIC,
    "pydantic and wiring, in use": PYDANTIC + "\nclass Model(BaseModel):\n    x: int",
    "from runnable import Pipeline, PythonTask": (
        "from runnable import Pipeline, PythonTask"
    ),
}


def old_python() -> Path:
    """Return the interpreter of the older version's own environment."""
    python = OLD / "bin" / "python"
    if not (OLD / "ready").exists():
        command = [
            ROOT / ".ci" / "environment",
            sys.executable,
            OLD,
            "runnable==0.50.0",
        ]
        subprocess.run(command, check=True)
        (OLD / "ready").touch()
    return python


def measure(
    python: Path, steps: int, store: str, rounds: int, limit_seconds: float
) -> dict[str, float] | str:
    """Run the worker; return why not, if it fails or takes too long."""
    with tempfile.TemporaryDirectory(dir=ROOT / "build" / "bench") as folder:
        command = [python, WORKER, folder, str(steps), store, str(rounds)]
        try:
            finished = subprocess.run(
                command,
                capture_output=True,
                text=True,
                check=True,
                timeout=limit_seconds,
                env={"PATH": os.environ["PATH"]},
            )
        except subprocess.TimeoutExpired:
            return f"> {limit_seconds} s"
        except subprocess.CalledProcessError as error:
            return error.stderr.strip().splitlines()[-1].split(":")[0]
    return json.loads(finished.stdout.splitlines()[-1])


def cpu_milliseconds(python: Path, code: str) -> float:
    """Return the CPU time of a process that runs some code."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    # Elsewhere, since Python looks for modules in its working directory first.
    subprocess.run(
        [python, "-c", code], check=True, capture_output=True, cwd=ROOT / "build"
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return 1000 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def compare_imports(old: Path) -> None:
    """Print what imports cost."""
    for package in ("runnable", "containers"):
        subprocess.run(
            [sys.executable, "-m", "compileall", "-q", ROOT / package], check=True
        )
    codes = {name: (Path(sys.executable), code) for name, code in IMPORTS.items()}
    codes["0.50: bare Python"] = (old, "pass")
    codes["0.50: import runnable"] = (old, "import runnable")
    best = dict.fromkeys(codes, float("inf"))
    for _ in range(25):
        for name, (python, code) in codes.items():
            best[name] = min(best[name], cpu_milliseconds(python, code))
    print("\nCPU of a process that imports, milliseconds (best of 25)")
    for name, value in best.items():
        print(f"  {name:45} {value:7.1f}")
    everything = best["from runnable import Pipeline, PythonTask"]
    lazy = best["import runnable"] - best["bare Python"]
    print(f"  import runnable, over bare Python: {lazy:.1f} ms (target: at most 5)")
    for name in ("pydantic and wiring, imported", "pydantic and wiring, in use"):
        print(f"  everything / {name}: {everything / best[name]:.2f} (target: 1.25)")


def compare_steps(old: Path) -> None:
    """Print what a step costs."""
    print("CPU per no-op step, microseconds, and peak memory, MB (best of several)")
    print(
        f"  {'store':12} {'steps':>6} {'here':>8} {'0.50':>9} {'ratio':>7} "
        f"{'target':>7} {'MB here':>8} {'MB 0.50':>8}"
    )
    for store, target in TARGETS.items():
        for steps in SIZES:
            new = measure(Path(sys.executable), steps, store, ROUNDS[steps], 600)
            older = measure(old, steps, store, OLD_ROUNDS[steps], OLD_LIMIT_SECONDS)
            print_row(store, steps, new, older, target)


def print_row(store, steps, new, older, target) -> None:
    """Print one line of the table."""
    here = 1e6 * new["cpu_seconds"] / steps
    line = f"  {store:12} {steps:6} {here:8.0f} "
    if isinstance(older, str):
        line += f"{older:>17} {target:7} {new['peak_megabytes']:8.0f}"
    else:
        then = 1e6 * older["cpu_seconds"] / steps
        line += f"{then:9.0f} {then / here:6.0f}x {target:7} "
        line += f"{new['peak_megabytes']:8.0f} {older['peak_megabytes']:8.0f}"
    print(line, flush=True)


if __name__ == "__main__":
    (ROOT / "build" / "bench").mkdir(parents=True, exist_ok=True)
    old = old_python()
    compare_steps(old)
    compare_imports(old)
    sys.stdout.flush()
    subprocess.run([sys.executable, WORKER.with_name("branches.py")], check=True)
