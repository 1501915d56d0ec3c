"""The example service, as a process: many tenants and clients at once."""

import asyncio
import json
import time
from pathlib import Path

import httpx
import pytest
import service_load

REQUESTS = 300


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    folder = tmp_path_factory.mktemp("service")
    with service_load.service(folder) as service:
        service.folder = folder
        yield service


@pytest.fixture
def client(running):
    headers = {"X-Tenant": "ada"}
    with httpx.Client(base_url=running.url, headers=headers, timeout=60) as client:
        yield client


def test_every_answer_is_right_and_nothing_is_left(running):
    asyncio.run(service_load.Load(running.url, 60).ask_all())
    before = running.used()
    load = service_load.Load(running.url, REQUESTS, seed=1)
    asyncio.run(load.ask_all())
    assert len(load.counts) == 5
    for tenant, other in (("ada", "bob"), ("bob", "ada")):
        logs = {
            it.stem
            for it in (running.folder / "tenants" / tenant / "logs").glob("*.json")
        }
        assert set(load.run_ids[tenant]) <= logs
        assert not logs & set(load.run_ids[other])
    for file in running.folder.rglob("*"):
        text = file.read_text(errors="ignore") if file.is_file() else ""
        assert not [key for key in service_load.KEYS.values() if key in text], file
    time.sleep(1.5)  # threads that have nothing to do end after a second
    after = running.used()
    assert after["threads"] <= before["threads"] + 40  # those of the server itself
    assert after["files"] <= before["files"] + 5
    assert after["mb"] <= before["mb"] + 20


def begin_slow_run(client, name="slowly"):
    """Begin a run that goes on; return its id and the open answer."""
    asking = client.stream("POST", "/answers/stream", json={"prompt": f"now {name} on"})
    answer = asking.__enter__()
    lines = answer.iter_lines()
    run_id = next(
        json.loads(line.removeprefix("data: "))["run_id"]
        for line in lines
        if line.startswith("data: ")
    )
    return run_id, asking, lines


def status_of(client, run_id, wanted):
    end = time.monotonic() + 30
    while (found := client.get(f"/runs/{run_id}").json()["status"]) != wanted:
        assert time.monotonic() < end, found
        time.sleep(0.02)
    return found


def test_a_run_is_cancelled(client):
    run_id, asking, lines = begin_slow_run(client)
    assert client.get("/runs", params={"status": "PROCESSING"}).json()
    bob = {"X-Tenant": "bob"}
    assert client.post(f"/runs/{run_id}/cancel", headers=bob).status_code == 404
    assert client.post(f"/runs/{run_id}/cancel").status_code == 202
    rest = "\n".join(lines)
    asking.__exit__(None, None, None)
    assert "was cancelled" in rest
    assert status_of(client, run_id, "CANCELLED")
    assert client.post(f"/runs/{run_id}/cancel").status_code == 409


def test_a_client_that_hangs_up_ends_the_run(client):
    run_id, asking, _ = begin_slow_run(client)
    asking.__exit__(None, None, None)
    assert status_of(client, run_id, "CANCELLED")


def test_a_client_that_hangs_up_before_the_answer_ends_the_run(client):
    known = {it["run_id"] for it in client.get("/runs").json()}
    with pytest.raises(httpx.ReadTimeout):
        client.post("/answers/async", json={"prompt": "so slowly"}, timeout=2)
    found = {it["run_id"] for it in client.get("/runs").json()}
    [begun] = found - known
    assert status_of(client, begun, "CANCELLED")


def test_responses_contain_no_locations(client, running):
    def texts():
        for prompt in ("hello", " "):
            json = {"prompt": prompt}
            yield client.post("/answers/stream", json=json).text
        yield client.get("/runs/nobody").text

    for text in texts():
        assert str(running.folder) not in text
        assert "Traceback" not in text
        assert "catalog" not in text
    assert (
        "there is nothing to answer"
        in client.post("/answers/stream", json={"prompt": " "}).text
    )


def test_a_run_is_resumed(client, running):
    flaky = Path(running.folder, "flaky")
    flaky.touch()
    failed = client.post("/answers", json={"prompt": "flaky judge"})
    assert failed.status_code == 422
    run_id = failed.json()["run_id"]
    assert client.post(f"/runs/{run_id}/resume").status_code == 422
    flaky.unlink()
    answer = client.post(f"/runs/{run_id}/resume")
    assert (answer.json()["status"], answer.json()["score"]) == ("SUCCESS", 11)
    assert client.get(f"/runs/{run_id}").json()["text"] == "FLAKY JUDGE"


def test_requests_that_are_refused(client):
    assert client.get("/runs", headers={"X-Tenant": "eve"}).status_code == 401
    assert client.get("/runs/nobody").status_code == 404
    assert client.post("/answers", json={}).status_code == 422
    lone = b'{"prompt": "\\ud800"}'
    json_text = {"Content-Type": "application/json"}
    odd = client.post("/answers", content=lone, headers=json_text)
    assert (odd.status_code, odd.json()["text"]) == (200, "?")
    assert client.get("/runs", params={"status": "odd"}).status_code == 422
    for odd in ("%2e%2e", "a%00b", "..%5cx", "a%0a", "x" * 300):
        assert client.get(f"/runs/{odd}").status_code == 422, odd
        assert client.post(f"/runs/{odd}/cancel").status_code == 422, odd
        assert client.post(f"/runs/{odd}/resume").status_code == 422, odd


BOB = {"X-Tenant": "bob"}


def many_connections(running):
    """Return a client that has any number of requests open at once."""
    headers = {"X-Tenant": "ada"}
    limits = httpx.Limits(max_connections=None)
    return httpx.AsyncClient(
        base_url=running.url, headers=headers, timeout=60, limits=limits
    )


def hung_up_on(client, path, prompt):
    with pytest.raises(httpx.ReadTimeout):
        client.post(path, json={"prompt": prompt}, timeout=0.3)


@pytest.mark.parametrize("path", ["/answers", "/answers/async", "/answers/stream"])
def test_a_tenant_whose_clients_hang_up_takes_no_place(path, client):
    for _ in range(3):
        hung_up_on(client, path, "so slowly") if path != "/answers/stream" else None
    slow = [begin_slow_run(client) for _ in range(16)]
    try:
        answer = client.post(path, json={"prompt": "hello"}, headers=BOB, timeout=20)
        assert answer.status_code == 200
        hung_up_on(client, path, "no turn for this one")
    finally:
        for run_id, asking, _ in slow:
            asking.__exit__(None, None, None)
            status_of(client, run_id, "CANCELLED")
    assert client.post(path, json={"prompt": "free again"}).status_code == 200
    active = client.get("/runs", params={"status": "PROCESSING"}).json()
    for it in active:
        status_of(client, it["run_id"], "CANCELLED")


def test_more_than_wait_are_refused_clearly(client, running):
    slow = [begin_slow_run(client) for _ in range(16)]

    async def ask_many():
        async with many_connections(running) as asking:
            many = [
                asyncio.create_task(asking.post("/answers", json={"prompt": "one"}))
                for _ in range(70)
            ]
            refused, _ = await asyncio.wait(many, timeout=5)
            for _, stream, _ in slow:
                stream.__exit__(None, None, None)
            return [it.result() for it in refused], await asyncio.gather(*many)

    refused, answers = asyncio.run(ask_many())
    assert len(refused) == 70 - 64
    for answer in refused:
        assert answer.status_code == 429
        assert answer.headers["Retry-After"] == "1"
        assert "64 requests of 'ada' are waiting" in answer.json()["detail"]
    assert sum(answer.status_code == 200 for answer in answers) == 64


def test_bodies_that_are_no_json_or_too_large_are_refused(client, running):
    json_text = {"Content-Type": "application/json"}
    for odd in (b'{"prompt": NaN}', b'{"prompt": [Infinity]}', b'{"prompt": 1e999}'):
        answer = client.post("/answers", content=odd, headers=json_text)
        assert answer.status_code == 422, odd
        assert answer.json()["detail"][0]["loc"] == ["body", "prompt"]
    sent, before = 0, running.used()["mb"]

    def large():
        nonlocal sent
        yield b'{"prompt": "'
        for _ in range(2_000):
            sent += 100_000
            yield b"x" * 100_000

    try:
        answer = client.post("/answers", content=large(), headers=json_text)
        assert answer.status_code == 413
    except httpx.TransportError:
        pass  # the connection was closed while the client was still sending
    assert sent < 100_000_000
    assert running.used()["mb"] < before + 20
    assert client.get("/runs", params={"status": "CRASHED"}).json() == []


def test_of_many_at_once_each_is_answered_or_refused(client, running):
    async def ask(asking):
        answer = await asking.post("/answers/stream", json={"prompt": "hello there"})
        if answer.status_code == 200:
            assert "event: done" in answer.text
        return answer.status_code

    async def ask_all():
        async with many_connections(running) as asking:
            return await asyncio.gather(*(ask(asking) for _ in range(60)))

    assert set(asyncio.run(ask_all())) == {200}


def test_shutdown_ends_active_runs(tmp_path):
    with service_load.service(tmp_path) as service:
        headers = {"X-Tenant": "ada"}
        with httpx.Client(base_url=service.url, headers=headers, timeout=60) as client:
            run_id, asking, _ = begin_slow_run(client)
            service.process.terminate()
            asking.__exit__(None, None, None)
        assert service.process.wait(60) is not None
    log = json.loads((tmp_path / f"tenants/ada/logs/{run_id}.json").read_text())
    assert log["status"] == "CANCELLED"
