"""A small file server on the loopback, for every test that downloads: it can misbehave as real ones do."""

import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


class Server(ThreadingHTTPServer):
    """Serves `files` (path -> bytes) with ranges.

    Attributes:
        cuts: lengths after which the next answers are cut, in turn.
        ranges: False: ignore ranges and always send the whole file.
        status: an error to answer with instead of a file.
        asked: (path, range header) of each request so far.
        gate: set to let answers go out; cleared, they wait after their first bytes.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.cuts: list[int] = []
        self.ranges, self.status = True, 0
        self.asked: list[tuple[str, str | None]] = []
        self.gate = threading.Event()
        self.gate.set()
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *_: object) -> None:
        """Silence."""

    def do_GET(self) -> None:
        asked = self.headers.get("Range")
        self.server.asked.append((self.path, asked))
        content = self.server.files.get(self.path)
        if self.server.status or content is None:
            return self.send_error(self.server.status or 404)
        start = int(re.match(r"bytes=(\d+)-", asked)[1]) if asked and self.server.ranges else 0
        if start and start >= len(content):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(content)}")
            self.send_header("Content-Length", "0")
            return self.end_headers()
        self._send(content[start:], 206 if start else 200)

    def _send(self, content: bytes, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        cut = self.server.cuts.pop(0) if self.server.cuts else len(content)
        self.wfile.write(content[: min(cut, 1000)])
        self.wfile.flush()
        self.server.gate.wait(20)
        self.wfile.write(content[1000:cut])


@pytest.fixture
def server() -> Iterator[Server]:
    started = Server()
    yield started
    started.gate.set()
    started.shutdown()
    started.server_close()
