"""Whatever is read, nothing but errors of ours comes of it."""

import json
import zlib
from pathlib import Path

import fuzzed
import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from runnable import Map, Pipeline, PythonTask

SETTINGS = settings(
    deadline=None, max_examples=150, suppress_health_check=list(HealthCheck)
)
YAML = sorted(it for it in fuzzed.READERS if it not in {"journal", "snapshot"})
WORDS = [
    "\ndag",
    "start_at",
    "steps",
    "type",
    "task",
    "stub",
    "parallel",
    "map",
    "loop",
    "conditional",
    "success",
    "fail",
    "next\non_failure",
    "command",
    "command_type",
    "python",
    "shell",
    "returns",
    "name",
    "kind",
    "json",
    "metric",
    "object\nbranch",
    "branches",
    "iterate_on",
    "iterate_as",
    "reducer",
    "max_iterations",
    "break_on",
    "index_as\nparameter",
    "default",
    "catalog",
    "get",
    "put",
    "store_copy",
    "secrets",
    "overrides",
    "max_attempts",
    "retries\nretry_delay",
    "timeout_seconds",
    "cache",
    "workspace",
    "max_workers",
    "parallelism",
    "math.sqrt",
    "x",
    "a",
    "b\npipeline-executor",
    "run-log-store",
    "secrets",
    "pickler",
    "config",
    "local",
    "file-system",
    "memory",
    "s3\ndo-nothing",
    "log_folder",
    "bucket",
    "catalog_location",
    "mocked",
    "patches",
    "sqlite",
    "postgres",
    "url\n<<",
    "",
    "&a",
    "*a",
    "!!int",
    "!!binary",
    "|",
    ">",
    "-",
    ":",
    "?",
    "[",
    "]",
    "{",
    "}",
    ",",
    "#",
    "'",
    '"',
    "\\",
    "\n",
    "\t",
    "1",
    "0.5",
    "true",
    "null",
    "~",
    "2020-01-31\n",
]
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.sampled_from(WORDS),
    st.text(max_size=20),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.sampled_from(WORDS), inner, max_size=6),
    ),
    max_leaves=25,
)
STEPS = st.fixed_dictionaries(
    {"type": st.sampled_from(WORDS[3:12])},
    optional=dict.fromkeys(WORDS[12:40], VALUES),
)
DOCUMENTS = st.fixed_dictionaries({
    "dag": st.fixed_dictionaries({
        "start_at": st.sampled_from(["a", "b"]),
        "steps": st.dictionaries(
            st.sampled_from(["a", "b", "success", "a.b"]), STEPS, max_size=4
        ),
    })
})


@SETTINGS
@given(st.sampled_from(YAML), st.one_of(st.binary(max_size=200), st.none()))
@example("pipeline", b"\xff\xfe")
@example("parameters", b"a: \x00")
@example("configuration", b"? [a]\n: 1\n")
@example("configuration", b"-9: 1\n")
def test_any_bytes(reader, content):
    fuzzed.survives(reader, content or b"")


@SETTINGS
@given(st.sampled_from(YAML), st.lists(st.sampled_from(WORDS), max_size=40))
def test_any_words(reader, words):
    fuzzed.survives(reader, " ".join(words).encode())


@SETTINGS
@given(st.sampled_from(YAML), VALUES)
def test_any_values(reader, values):
    text = yaml.safe_dump(values, allow_unicode=True)
    fuzzed.survives(reader, text.encode("utf-8", "surrogatepass"))


@settings(SETTINGS, max_examples=200)
@given(DOCUMENTS)
def test_anything_like_a_pipeline(document):
    text = yaml.safe_dump(document, allow_unicode=True)
    fuzzed.survives("pipeline", text.encode("utf-8", "surrogatepass"))


KINDS = ["pipeline-executor", "run-log-store", "catalog", "secrets", "pickler"]


@SETTINGS
@given(
    st.dictionaries(
        st.sampled_from(KINDS),
        st.fixed_dictionaries(
            {"type": st.sampled_from(WORDS)},
            optional=dict.fromkeys(WORDS[50:], VALUES),
        ),
    )
)
def test_anything_like_a_configuration(document):
    fuzzed.survives("configuration", yaml.safe_dump(document).encode())


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """The files of a run, as they were written."""
    folder = tmp_path_factory.mktemp("kept")
    branch = PythonTask(name="s", function=lambda x: x, returns=["y"]).as_pipeline()
    step = Map(name="m", branch=branch, iterate_on="xs", iterate_as="x")
    Pipeline(steps=[step], name="p").execute(
        run_id="fuzzed",
        parameters={"xs": [1, "two"]},
        services={
            "run_log_store": {
                "type": "file-system",
                "config": {"log_folder": str(folder)},
            },
            "catalog": {"type": "do-nothing"},
        },
    )
    return {
        "journal": (folder / "fuzzed.000001.jsonl").read_bytes(),
        "snapshot": (folder / "fuzzed.json").read_bytes(),
    }


@pytest.mark.parametrize("reader", ["journal", "snapshot"])
def test_changed_run_logs(reader, kept):
    whole = kept[reader]
    assert fuzzed.survives(reader, whole)

    @SETTINGS
    @given(st.data())
    def change(data):
        content = bytearray(whole)
        for _ in range(data.draw(st.integers(1, 4))):
            at = data.draw(st.integers(0, len(content) - 1))
            kind = data.draw(st.sampled_from(["flip", "cut", "insert", "drop"]))
            if kind == "flip":
                content[at] ^= 1 << data.draw(st.integers(0, 7))
            elif kind == "cut":
                del content[at:]
            elif kind == "insert":
                content[at:at] = data.draw(st.binary(min_size=1, max_size=8))
            else:
                del content[at : at + 8]
            if not content:
                break
        fuzzed.survives(reader, bytes(content))

    change()


@settings(SETTINGS, max_examples=400)
@given(st.data())
def test_records_with_random_content(kept, data):
    """The checksum is right, and something else is not."""
    lines = [json.loads(line)["record"] for line in kept["journal"].splitlines()]
    for _ in range(data.draw(st.integers(1, 3))):
        record = data.draw(st.sampled_from(lines))
        key = data.draw(st.sampled_from(sorted(record)))
        if data.draw(st.booleans()):
            del record[key]
            record["kind"] = data.draw(
                st.sampled_from(["step_finished", "run_started"])
            )
        else:
            record[key] = data.draw(VALUES)
    fuzzed.survives("journal", b"".join(map(line_of, lines)))


def line_of(record):
    body = json.dumps(record).encode()
    return b'{"crc32":"%08x","record":%b}\n' % (zlib.crc32(body), body)


@settings(SETTINGS, max_examples=300)
@given(VALUES, st.data())
def test_run_logs_of_other_shapes(values, data):
    """JSON that is no run log, and run logs with something else in a place."""
    fuzzed.survives("snapshot", json.dumps(values).encode())
    log = {"run_id": "fuzzed", "status": "SUCCESS", "steps": {}, "parameters": {}}
    key = data.draw(st.sampled_from(sorted(log)))
    log[key] = values
    fuzzed.survives("snapshot", json.dumps(log).encode())
    assert not Path("nowhere").exists()
