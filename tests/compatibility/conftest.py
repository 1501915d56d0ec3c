"""What version 0.50 takes by position still works, with a warning."""

import pytest


def pytest_collection_modifyitems(items):
    allowed = pytest.mark.filterwarnings("ignore:execute:DeprecationWarning")
    for item in items:
        if "tests/compatibility" in item.path.as_posix():
            item.add_marker(allowed)
