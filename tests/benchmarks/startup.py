"""What the command line costs: CPU time of a process, against bare Python.

Run as `python tests/benchmarks/startup.py`; times are the least of several runs.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

TIMES = 7
SCRIPT = """
from runnable import Pipeline, PythonTask
def work():
    return 1
pipeline = Pipeline(steps=[PythonTask(name="s", function=work, returns=["x"])])
"""
EXECUTE = "pipeline.execute()\n"
YAML = """
dag: {start_at: s, steps: {s: {type: task, command: functions.work, returns: [x],
                               next: success}}}
"""


def cpu_ms(*command: str) -> float:
    """Return the CPU time of a process, in milliseconds."""

    def once() -> float:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = status
        assert status == 0, command
        return 1000 * (usage.ru_utime + usage.ru_stime)

    return min(once() for _ in range(TIMES))


def main() -> None:
    os.chdir(tempfile.mkdtemp())
    python, runnable = sys.executable, str(Path(sys.executable).with_name("runnable"))
    Path("functions.py").write_text("def work():\n    return 1\n")
    Path("definition.py").write_text(SCRIPT)
    Path("script.py").write_text(SCRIPT + EXECUTE)
    Path("pipeline.yaml").write_text(YAML)
    bare = cpu_ms(python, "-c", "pass")
    defined = cpu_ms(python, "definition.py")
    print(f"bare Python             {bare:5.0f} ms")
    print(f"defining the pipeline   {defined:5.0f} ms, {defined / bare:.1f}x bare")
    for name, command in {
        "python script.py": (python, "script.py"),
        "runnable --help": (runnable, "--help"),
        "runnable execute .py": (runnable, "execute", "script.py"),
        "runnable execute .yaml": (runnable, "execute", "pipeline.yaml"),
    }.items():
        took = cpu_ms(*command)
        print(
            f"{name:23} {took:5.0f} ms, {took / bare:.1f}x bare, "
            f"{took - defined:+.0f} ms over defining it"
        )


if __name__ == "__main__":
    main()
