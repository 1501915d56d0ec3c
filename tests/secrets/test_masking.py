"""Secrets are found in nothing that is kept or told, in whatever form."""

import asyncio
import base64
import contextlib
import json
import logging
import os
import secrets as generator
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runnable import (
    AsyncPythonTask,
    ExecutionFailedError,
    Map,
    Pipeline,
    PythonTask,
    ShellTask,
)
from runnable.exceptions import RetryValidationError
from runnable.secrets import Masker

SECRETS = st.text(min_size=4, max_size=40)


@given(SECRETS, st.text(), st.text())
def test_a_secret_is_masked_in_every_usual_form(secret, before, after):
    masker = Masker()
    masker.add([secret])
    content = secret.encode(errors="surrogatepass")
    forms = [
        secret,
        json.dumps(secret),
        json.dumps({"a": [secret]}, ensure_ascii=False),
        repr(secret),
        quote(content),
        quote_plus(content),
        base64.b64encode(content).decode(),
        base64.urlsafe_b64encode(content).decode(),
    ]
    for form in forms:
        assert secret not in masker.text(f"{before}{form}{after}").replace("***", "\0")
    for form in forms[:4]:
        assert "***" in masker.text(form)


@given(st.binary(max_size=7), st.binary(min_size=9, max_size=30), st.binary(max_size=7))
def test_a_secret_within_longer_base64(before, secret, after):
    text = secret.hex()
    masker = Masker()
    masker.add([text])
    whole = before + text.encode() + after
    masked = masker.text(base64.b64encode(whole).decode())
    assert "***" in masked
    decoded = masked.replace("***", "AAAA")
    try:
        left = base64.b64decode(decoded + "=" * (-len(decoded) % 4))
    except ValueError:
        return  # what is left is no base64 any more
    assert text.encode() not in left


@given(st.lists(st.text(max_size=50)), st.text())
def test_a_masker_never_raises(values, text):
    masker = Masker()
    masker.add(values)
    assert isinstance(masker.text(text), str)
    masker.json({text: [text, 1, None, {"a": text}]})


def test_short_values_hide_nothing():
    masker = Masker()
    masker.add(["", "a", "123"])
    assert masker.text("a 123 b") == "a 123 b"


def test_lines_of_a_long_secret_are_masked_one_by_one():
    masker = Masker()
    masker.add(["-----BEGIN KEY-----\nabcdefgh\nijklmnop\n"])
    assert masker.text("abcdefgh, then ijklmnop") == "***, then ***"


@pytest.fixture
def canary(monkeypatch):
    value = f"{generator.token_hex(8)}/+ {generator.token_hex(8)}"
    monkeypatch.setenv("CANARY", value)
    return value


def leaks(canary):
    """Return the files below here in which the secret is found, in any form."""
    forms = {canary, json.dumps(canary)[1:-1], quote(canary, safe="")}
    forms |= {canary.split("/")[0], base64.b64encode(canary.encode()).decode()[:-4]}
    return [
        (str(path), form)
        for path in Path.cwd().rglob("*")
        if path.is_file()
        for form in forms
        if form.encode() in path.read_bytes()
    ]


def talk():
    import sys

    secret = os.environ["CANARY"]
    print(secret)
    sys.stdout.write(secret[:5])
    sys.stdout.write(secret[5:] + "\n")
    print(json.dumps([secret]), quote(secret, safe=""), file=sys.stderr)
    print(base64.b64encode(secret.encode()).decode())
    logging.getLogger().warning("it is %s", secret)
    return secret, {"deep": [secret]}


def fail():
    raise RuntimeError(f"refused {os.environ['CANARY']}")


@pytest.mark.parametrize("way", ["execute", "execute_async"])
def test_no_file_of_a_run_has_it(way, canary):
    steps = [
        PythonTask(name="talk", function=talk, returns=["a", "b"], secrets=["CANARY"]),
        ShellTask(
            name="shell",
            command='echo "$CANARY"; export c="$CANARY"',
            returns=["c"],
            secrets=["CANARY"],
        ),
        PythonTask(name="use", function=lambda a: len(a), returns=["n"]),
        PythonTask(name="broken", function=fail, secrets=["CANARY"]),
    ]
    pipeline = Pipeline(steps=steps)
    with pytest.raises(ExecutionFailedError) as caught:
        running = getattr(pipeline, way)(run_id="r1")
        if way == "execute_async":
            asyncio.run(running)
    assert "refused ***" in str(caught.value)
    run_log = caught.value.run_log
    # Within the run, it is what it is.
    assert run_log.parameters["n"].value == len(canary)
    assert run_log.parameters["a"].value == "***"
    assert leaks(canary) == []
    assert canary not in run_log.model_dump_json()


async def test_events_do_not_have_it(canary, in_memory):
    async def stream():
        yield {"type": "word", "word": f"a {os.environ['CANARY']}", "all": [1]}

    task = AsyncPythonTask(name="s", function=stream, secrets=["CANARY"])
    pipeline = task.as_async_pipeline()
    events = [e async for e in pipeline.execute_streaming(services=in_memory)]
    assert events == [{"type": "word", "word": "a ***", "all": [1]}]


@pytest.mark.parametrize("parallelism", ["thread", "process"])
def test_branches_do_not_have_it(canary, parallelism):
    def leak(x):
        import os

        print(os.environ["CANARY"])
        if x == 2:
            raise ValueError(os.environ["CANARY"])
        return os.environ["CANARY"]

    task = PythonTask(name="s", function=leak, returns=["y"], secrets=["CANARY"])
    for xs in ([1, 3], [1, 2]):
        step = Map(
            name="m",
            branch=task.as_pipeline(),
            iterate_on="xs",
            iterate_as="x",
            parallelism=parallelism,
        )
        with contextlib.suppress(ExecutionFailedError):
            Pipeline(steps=[step]).execute(parameters={"xs": xs})
    with pytest.raises(ExecutionFailedError) as caught:
        Pipeline(steps=[step]).execute(parameters={"xs": xs})
    assert canary not in str(caught.value)
    assert leaks(canary) == []


def test_a_run_knows_the_secrets_of_its_own_tasks_only(in_memory, monkeypatch):
    monkeypatch.setenv("CANARY", "just a word")
    knows = PythonTask(name="k", function=lambda: "just a word", secrets=["CANARY"])
    says = PythonTask(name="s", function=lambda: "just a word", returns=["w"])
    for steps, expected in (([says], "just a word"), ([knows, says], "***")):
        run_log = Pipeline(steps=steps).execute(services=in_memory)
        assert run_log.parameters["w"].value == expected


def test_a_secret_of_digits_is_no_number_either():
    masker = Masker()
    masker.add(["73519284"])
    assert masker.json({"pin": 73519284, "n": [1.5, True, None]}) == {
        "pin": "***",
        "n": [1.5, True, None],
    }
    assert masker.json([73519284.0]) == ["***.0"]


def test_a_shell_command_that_returns_a_secret_of_digits(monkeypatch):
    monkeypatch.setenv("PIN", "73519284")
    step = ShellTask(
        name="s", command="export pin=$PIN", returns=["pin"], secrets=["PIN"]
    )
    run_log = Pipeline(steps=[step]).execute(run_id="r1")
    assert run_log.parameters["pin"].value == "***"
    with pytest.raises(RetryValidationError, match="'pin' with a secret in it"):
        Pipeline(steps=[step]).execute(resume="r1")


def test_forms_of_html_bytes_and_without_blanks():
    masker = Masker()
    masker.add(["  Kw<8&p\N{LATIN SMALL LETTER A WITH DIAERESIS}ss'  "])
    for form in ("Kw&lt;8&amp;p\xe4ss&#x27;", "Kw&lt;8&amp;p\xe4ss'", "Kw<8&p\xe4ss'"):
        assert masker.text(f"a{form}b") == "a***b"
    assert "Kw" not in masker.text(str("Kw<8&p\xe4ss'".encode()))
