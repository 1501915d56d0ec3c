"""Say how many of the items of version 0.50's behaviour have a test that passes.

Hooks of pytest, for the conftest that also the process has which hands out tests.
"""

import re

_ITEMS = re.compile(r"::test_((?:[DCI]\d+_)+)")
_done: set[str] = set()


def pytest_runtest_logreport(report):
    found = _ITEMS.search(report.nodeid)
    if found and report.when == "call" and report.passed:
        _done.update(found[1].strip("_").split("_"))


def pytest_terminal_summary(terminalreporter):
    if _done:
        counts = {
            name: sum(it[0] == letter for it in _done)
            for letter, name in (
                ("D", "defects of the core"),
                ("C", "promises of the contract"),
                ("I", "defects of the infrastructure"),
            )
        }
        said = ", ".join(f"{count} {name}" for name, count in counts.items())
        terminalreporter.write_line(f"compatibility with 0.50: {said}")
