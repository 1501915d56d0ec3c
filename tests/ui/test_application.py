"""The application within others, and its streams."""

import gzip
import hashlib
import json
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from containers import RunContainer
from runnable import Catalog, Map, Pipeline, PythonTask, Stub, metric, ui
from runnable.catalog.file_system import FileSystemCatalog
from runnable.datastore.memory import MemoryRunLogStore
from runnable.exceptions import ExecutionCancelledError, ExecutionFailedError
from runnable.sdk import delete_runs
from runnable.ui.run_pages import TABS
from tests.support.web import served
from tests.ui import flow


def test_it_mounts_into_an_application_of_fastapi():
    container = RunContainer()
    store = MemoryRunLogStore()
    container.run_log_store.override(store)
    application = FastAPI()
    application.mount("/runs", ui.app(container))
    Stub(name="s").as_pipeline().execute(
        run_id="r1", container=container, services={"catalog": {"type": "do-nothing"}}
    )
    client = TestClient(application)
    page = client.get("/runs/").text
    assert 'href="/runs/run/r1"' in page
    assert client.get("/runs/run/r1").status_code == 200
    assert client.get("/runs/static/page.css").status_code == 200
    assert client.get("/runs/run/r1?tab=logs").status_code == 200


def test_a_run_of_this_process_is_cancelled_here():
    container = RunContainer()
    services = {
        "run_log_store": MemoryRunLogStore(),
        "catalog": FileSystemCatalog(catalog_location="catalog"),
    }
    application = ui.app(
        container, services=services, allow_actions=True, token="t" * 20
    )
    client = TestClient(application)
    started, ended = threading.Event(), []

    def wait():
        started.set()
        while True:
            time.sleep(0.01)

    def run():
        step = PythonTask(name="s", function=wait)
        try:
            step.as_pipeline().execute(
                run_id="r1", container=container, services=services
            )
        except ExecutionCancelledError as error:
            ended.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    assert started.wait(30)
    form = {"token": "t" * 20}
    assert client.post("/run/r1/cancel", data=form).status_code == 200
    thread.join(30)
    assert len(ended) == 1
    assert "CANCELLED" in client.get("/run/r1").text


def events_of(client, path, **headers):
    found = []
    with client.stream("GET", path, headers=headers) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        event = {}
        for line in answer.iter_lines():
            if not line:
                found += [event] if "event" in event else []
                event = {}
            elif not line.startswith(":"):
                name, _, value = line.partition(": ")
                event[name] = value
    return found


def test_the_stream_of_a_run_has_each_record_with_its_number():
    flow.run(1, fail=False)
    client = TestClient(ui.app(configuration_file=""))
    found = events_of(client, "/run/run-1/events")
    assert [it["id"] for it in found[:-1]] == [str(n) for n in range(1, len(found))]
    assert found[0]["event"] == "run_started"
    assert found[-2]["event"] == "run_finished"
    assert found[-1]["event"] == "over"
    assert {"step_started", "branch_finished"} <= {it["event"] for it in found}
    assert json.loads(found[1]["data"])["path"] == "load"


def test_a_stream_goes_on_where_it_was_lost():
    flow.run(1, fail=False)
    client = TestClient(ui.app(configuration_file=""))
    everything = events_of(client, "/run/run-1/events")
    rest = events_of(client, "/run/run-1/events", **{"Last-Event-ID": "10"})
    assert rest == everything[10:]
    assert events_of(client, "/run/run-1/events?after=10") == everything[10:]


def test_a_stream_has_no_values():
    flow.run(1, fail=False)
    client = TestClient(ui.app(configuration_file=""))
    text = json.dumps(events_of(client, "/run/run-1/events"))
    assert "run_config" not in text
    assert "outputs" not in text


@pytest.mark.parametrize("path", ["/run/none", "/run/none/events", "/nothing"])
def test_what_is_not_there_is_a_page_that_says_so(path):
    answer = TestClient(ui.app(configuration_file="")).get(path)
    assert answer.status_code == 404
    assert "Not found" in answer.text


def test_an_empty_place_says_how_to_begin():
    answer = TestClient(ui.app(configuration_file="")).get("/")
    assert answer.status_code == 200
    assert "Nothing has been run here yet" in answer.text


ODD = "odd \ud800 half"


def odd() -> tuple[float, str]:
    print("printed \udcff")
    Path("odd.json").write_text('{"a": "\\ud800"}')
    Path("deep.json").write_text("[" * 100_000)
    return float("nan"), ODD


def test_numbers_that_are_none_and_halves_of_characters_break_no_page():
    flow.run(1, fail=False)
    step = PythonTask(
        name="s",
        function=odd,
        returns=[metric("m"), metric("word")],
        catalog=Catalog(put=["*.json"]),
    )
    Pipeline(name="p", steps=[step]).execute(run_id="r1", tag=ODD)

    def fail():
        raise ValueError(ODD)

    failing = PythonTask(name="s", function=fail).as_pipeline()
    with pytest.raises(ExecutionFailedError):
        failing.execute(run_id="r2")
    client = TestClient(ui.app(configuration_file=""))
    queries = [
        "",
        "?metric=m",
        "?metric=m>0",
        "?sort=metric:m",
        "?metric=%00",
        "?q=%FF",
    ]
    queries += [f"?page={'9' * 5000}", "?metric=word>0", f"?tag={'x' * 3000}"]
    pages = ["/pipelines", "/compare?run=r1&run=r2&run=run-1", "/run/r1/timeline"]
    pages += [f"/run/{it}?tab={tab}" for it in ("r1", "r2") for tab in TABS]
    pages += [f"/run/r1/artifact?key={it}.json" for it in ("odd", "deep")]
    pages += ["/run/r1?tab=attempts&page=" + "9" * 5000]
    for path in [*(f"/{it}" for it in queries), *pages]:
        answer = client.get(path)
        assert answer.status_code == 200, (path, answer.text[-300:])
    text = client.get("/").text
    assert "run-1" in text
    assert "odd \\ud800 half" in text
    assert "r1" not in client.get("/?metric=word>0").text
    for run_id in ("%2e%2e%5c", "...", "x" * 300):
        assert client.get(f"/run/{run_id}").status_code == 404


def test_a_run_that_is_begun_anew_under_the_same_id_is_the_new_one():
    client = TestClient(ui.app(configuration_file=""))
    flow.run(1, fail=False)
    assert "SUCCESS" in client.get("/run/run-1").text
    assert "run-1" in client.get("/").text
    delete_runs(["run-1"])
    flow.run(1, fail=True)
    assert 'data-status="FAIL"' in client.get("/run/run-1").text
    assert "the registry does not answer" in client.get("/run/run-1").text
    assert '<span class="status FAIL">' in client.get("/").text


def test_a_run_of_version_0_50_has_all_its_pages():
    flow.run(1, fail=False)
    Path(".run_log_store/run-1.000001.jsonl").unlink()  # its readable log is left
    client = TestClient(ui.app(configuration_file=""))
    for tab in TABS:
        assert client.get(f"/run/run-1?tab={tab}").status_code == 200, tab
    assert (
        "loading 10 rows" in client.get("/run/run-1?tab=logs&path=load&attempt=1").text
    )


def test_pages_of_a_run_that_grows_are_drawn_by_many_at_once():
    """Each sees the run as it is at one moment."""
    branch = PythonTask(name="s", function=lambda x: x, returns=["y"]).as_pipeline()
    step = Map(name="m", branch=branch, iterate_on="xs", iterate_as="x", max_workers=1)
    thread = threading.Thread(
        target=Pipeline(steps=[step]).execute,
        kwargs={"run_id": "r1", "parameters": {"xs": list(range(3000))}},
    )
    statuses = []

    def look(address):
        for path in ("run/r1", "run/r1/timeline", "run/r1?tab=attempts"):
            with urllib.request.urlopen(address + path) as answer:
                statuses.append(answer.status)

    with served() as address, ThreadPoolExecutor(4) as pool:
        thread.start()
        while not Path(".run_log_store/r1.000001.jsonl").exists():
            time.sleep(0.01)
        while thread.is_alive():
            list(pool.map(look, [address] * 4))
        thread.join()
    assert len(statuses) > 10
    assert set(statuses) == {200}


def test_a_damaged_run_hides_no_other():
    flow.run(1, fail=False)
    flow.run(2, fail=False)
    journal = Path(".run_log_store/run-2.000001.jsonl")
    lines = journal.read_bytes().splitlines(keepends=True)
    lines[3] = b"{}\n"
    journal.write_bytes(b"".join(lines))
    client = TestClient(ui.app(configuration_file=""))
    assert "run-1" in client.get("/").text
    answer = client.get("/run/run-2")
    assert answer.status_code == 500
    assert "run-2" in answer.text
    assert "Traceback" not in answer.text


def test_the_scripts_are_those_that_are_noted_and_small():
    static = Path(ui.__file__).parent / "static"
    vendor = static / "vendor"
    noted = {
        Path(file).name: digest
        for package in json.loads((static / "vendor.json").read_text())
        for file, digest in package["files"].items()
    }
    found = {it.name: it.read_bytes() for it in vendor.iterdir()}
    assert noted == {
        name: hashlib.sha256(content).hexdigest() for name, content in found.items()
    }
    own = [(static / name).read_bytes() for name in ("page.js", "page.css")]
    sizes = [len(gzip.compress(it)) for it in [*found.values(), *own]]
    assert sum(sizes) < 60_000
