"""Ask the example service as many clients at once do.

As a script: `python tests/support/service_load.py [REQUESTS]`, 2,000 if nothing is said;
prints times, and what the service has more of than before.
"""

import asyncio
import contextlib
import hashlib
import json
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx

SERVICE = Path(__file__).parents[2] / "docs/examples/service"
KEYS = {"ada": "ada-has-a-key", "bob": "bob-has-another"}
CLIENTS = 20


class Service:
    """The service, in a process of its own."""

    def __init__(self, url: str, process: subprocess.Popen) -> None:
        self.url = url
        self.process = process

    def used(self) -> dict[str, int]:
        """Say what the process has: threads, open files, memory in MB."""
        place = Path(f"/proc/{self.process.pid}")
        status = dict(
            line.split(":", 1) for line in (place / "status").read_text().splitlines()
        )
        return {
            "threads": int(status["Threads"]),
            "files": len(os.listdir(place / "fd")),
            "mb": int(status["VmRSS"].split()[0]) // 1024,
        }


@contextlib.contextmanager
def service(folder: Path) -> Iterator[Service]:
    """Start the service in a folder."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "uvicorn", "app:app", "--app-dir", str(SERVICE),
         "--port", str(port), "--log-level", "warning",
         "--timeout-graceful-shutdown", "1"],
        cwd=folder,
    )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    try:
        end = time.monotonic() + 60
        while True:
            try:
                httpx.get(f"{url}/docs", timeout=5)
                break
            except httpx.TransportError:
                if process.poll() is not None or time.monotonic() > end:
                    raise
                time.sleep(0.05)
        yield Service(url, process)
    finally:
        process.terminate()
        try:
            process.wait(60)
        finally:
            process.kill()


def account_of(tenant: str) -> str:
    return hashlib.sha256(KEYS[tenant].encode()).hexdigest()[:8]


class Load:
    """Asks, checks every answer, and counts."""

    def __init__(self, url: str, requests: int, seed: int = 0) -> None:
        self._url = url
        self._left = iter(range(requests))
        self._random = random.Random(seed)
        self.seconds: list[float] = []
        self.counts: Counter[str] = Counter()
        self.run_ids: dict[str, list[str]] = {tenant: [] for tenant in KEYS}

    async def ask_all(self) -> None:
        """Have all clients ask, until there is nothing left to ask."""
        async with asyncio.TaskGroup() as group:
            for _ in range(CLIENTS):
                group.create_task(self._client())

    async def _client(self) -> None:
        async with httpx.AsyncClient(base_url=self._url, timeout=60) as client:
            for number in self._left:
                kind = self._random.choice([
                    "sync",
                    "async",
                    "stream",
                    "stream",
                    "fails",
                    "hangs up",
                ])
                tenant = self._random.choice(list(KEYS))
                began = time.perf_counter()
                await self._ask(client, kind, tenant, f"prompt {number} of {tenant}")
                self.seconds.append(time.perf_counter() - began)
                self.counts[kind] += 1

    async def _ask(self, client, kind: str, tenant: str, prompt: str) -> None:
        headers, body = {"X-Tenant": tenant}, {"prompt": prompt}
        if kind == "fails":
            answer = await client.post(
                "/answers", headers=headers, json={"prompt": " "}
            )
            assert answer.status_code == 422, answer.text
            assert "there is nothing to answer" in answer.json()["detail"]
        elif kind in {"sync", "async"}:
            path = "/answers" if kind == "sync" else "/answers/async"
            answer = await client.post(path, headers=headers, json=body)
            assert answer.status_code == 200, answer.text
            self._check(answer.json(), tenant, prompt)
        else:
            await self._stream(client, kind, tenant, prompt, headers)

    async def _stream(self, client, kind, tenant, prompt, headers) -> None:
        body = {"prompt": prompt}
        asking = client.stream("POST", "/answers/stream", headers=headers, json=body)
        words, ended, run_id = [], {}, ""
        async with asking as answer:
            assert answer.status_code == 200, await answer.aread()
            async for line in answer.aiter_lines():
                if not line.startswith("data: "):
                    continue
                event = json.loads(line.removeprefix("data: "))
                if event["type"] == "run_started":
                    run_id = event["run_id"]
                elif event["type"] == "word":
                    words.append(event["word"])
                    if kind == "hangs up":
                        return
                elif event["type"] == "done":
                    ended = event
        self._check({**ended, "run_id": run_id}, tenant, prompt)
        assert words == prompt.upper().split()

    def _check(self, answer: dict, tenant: str, prompt: str) -> None:
        assert answer["text"] == prompt.upper()
        assert answer["account"] == account_of(tenant)
        self.run_ids[tenant].append(answer["run_id"])


def main(requests: str = "2000") -> None:
    with tempfile.TemporaryDirectory() as place, service(Path(place)) as running:
        asyncio.run(Load(running.url, 200).ask_all())
        before = running.used()
        load = Load(running.url, int(requests), seed=1)
        began = time.perf_counter()
        asyncio.run(load.ask_all())
        took = time.perf_counter() - began
        after = running.used()
    median = statistics.median(load.seconds)
    p99 = sorted(load.seconds)[int(len(load.seconds) * 0.99)]
    print(
        f"{requests} requests of {CLIENTS} clients in {took:.1f} s: "
        f"{int(requests) / took:.0f} a second, median {median * 1000:.0f} ms, "
        f"p99 {p99 * 1000:.0f} ms ({p99 / median:.1f}x)"
    )
    print(dict(load.counts))
    print("before", before, "after", after)


if __name__ == "__main__":
    main(*sys.argv[1:])
