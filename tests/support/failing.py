"""Servers of which the n-th answer is an error: S3 behind a proxy, SQL statements."""

import contextlib
import http.client
import itertools
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import sqlalchemy as sa
from sqlalchemy import event


class Failing:
    """Says which of the calls fail: one of them, or all from there on."""

    def __init__(self, at: int, *, lasting: bool) -> None:
        self._at, self._lasting = at, lasting
        self._counter = itertools.count(1)
        self.count = 0

    def is_next(self) -> bool:
        self.count = next(self._counter)
        return self.count == self._at or (self._lasting and self.count > self._at)


class _Proxy(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "Proxy"

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if self.server.failing and self.server.failing.is_next():
            self._answer(403, [], b"<Error><Code>AccessDenied</Code></Error>")
            return
        connection = http.client.HTTPConnection(self.server.behind, timeout=30)
        connection.request(self.command, self.path, body, dict(self.headers))
        answer = connection.getresponse()
        self._answer(answer.status, answer.getheaders(), answer.read())
        connection.close()

    do_PUT = do_POST = do_DELETE = do_HEAD = do_GET

    def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.send_response_only(status)
        kept = {"transfer-encoding", "connection"}
        names = {name.lower() for name, _ in headers}
        for name, value in headers:
            if name.lower() not in kept:
                self.send_header(name, value)
        if "content-length" not in names:
            self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


class Proxy(ThreadingHTTPServer):
    """Stands before a server, and answers some requests itself."""

    daemon_threads = True
    failing: Failing | None = None

    def __init__(self, url: str) -> None:
        super().__init__(("127.0.0.1", 0), _Proxy)
        self.behind = urlsplit(url).netloc

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


@contextlib.contextmanager
def proxy(url: str) -> Iterator[Proxy]:
    """Run a proxy before a server."""
    with Proxy(url) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join(30)


def statements(engine: sa.Engine, failing: Failing) -> None:
    """Have statements of an engine fail as their database would have them fail."""
    other = None
    if engine.name == "postgresql":
        other = sa.create_engine(engine.url, poolclass=sa.NullPool)

    def before_statement(connection: sa.Connection, *_: object) -> None:
        driver = connection.connection.driver_connection
        is_failing = failing.is_next()
        if other is None:
            driver.set_progress_handler((lambda: 1) if is_failing else None, 1)
        elif is_failing:
            number = driver.info.backend_pid
            with other.connect() as administrator:
                administrator.execute(sa.text(f"SELECT pg_terminate_backend({number})"))

    event.listen(engine, "before_cursor_execute", before_statement)
    if other is not None:
        event.listen(engine, "commit", before_statement)
