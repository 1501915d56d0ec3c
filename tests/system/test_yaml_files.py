"""Plain text in YAML files is what YAML 1.2 says, as it was in version 0.50."""

import datetime as dt
import math

import pytest

from runnable.system.yaml_files import parse


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1e-3", 0.001),
        ("22:22", "22:22"),
        ("1:30:45", "1:30:45"),
        ("01234", 1234),
        ("0o17", 15),
        ("-0x1F", -31),
        ("1_000", 1000),
        ("010_0", 100),
        ("=", "="),
        ("5.", 5.0),
        ("-.5", -0.5),
        (".inf", math.inf),
        ("yes", "yes"),
        ("No", "No"),
        ("on", "on"),
        ("y", "y"),
        ("true", True),
        ("FALSE", False),
        ("~", None),
        ("Null", None),
        ("1.2.3", "1.2.3"),
        ("2026-01-31", dt.date(2026, 1, 31)),
    ],
)
def test_plain_text(text, expected):
    found = parse(f"a: {text}\n", "parameters file", "p.yaml").content["a"]
    assert (type(found), found) == (type(expected), expected)
    assert parse(f"a: '{text}'\n", "parameters file", "p.yaml").content["a"] == text
