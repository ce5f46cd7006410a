"""An admin side in a thread, with pages that a test writes."""

import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit


class Pages:
    """What is answered at each path: a status and JSON; and what was asked."""

    def __init__(self) -> None:
        self.pages: dict[str, list[tuple[int, Any]]] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.posted: list[Any] = []
        self.tokens: list[str] = []
        self.raw: bytes | None = None  # sent instead of any of them
        self.url = ""

    def put(self, path: str, *contents: Any, status: int = 200) -> None:
        """The next answers at a path; the last one again and again."""
        self.pages[path] = [(status, content) for content in contents]


class _Handler(BaseHTTPRequestHandler):
    pages: Pages

    def do_DELETE(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        self.pages.tokens += self.headers.get_all("Authorization", [])
        parts = urlsplit(self.path)
        self.pages.asked.append((parts.path, dict(parse_qsl(parts.query))))
        if self.pages.raw is not None:
            self.wfile.write(self.pages.raw)
            return
        answers = self.pages.pages.get(parts.path)
        missing = (404, {"type": "about:blank", "title": "Not Found", "status": 404})
        status, content = missing if answers is None else answers[0]
        if answers and len(answers) > 1:
            answers.pop(0)
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.pages.posted.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        self.do_GET()

    def address_string(self) -> str:
        return "somebody"

    def log_message(self, *_: Any) -> None:
        """Nothing."""


class _BySocket(HTTPServer):
    address_family = socket.AF_UNIX

    def server_bind(self) -> None:
        self.socket.bind(self.server_address)


@contextlib.contextmanager
def serving(path: str = "") -> Iterator[Pages]:
    """Pages at a free port, or at a Unix socket."""
    pages = Pages()
    handler = type("Handler", (_Handler,), {"pages": pages})
    at: Any = path or ("127.0.0.1", 0)
    server = (_BySocket if path else HTTPServer)(at, handler)
    pages.url = f"unix:{path}" if path else f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield pages
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
