"""A server of ours that takes webhooks, refuses them, or does not answer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread


class Receiving:
    """What it was sent, and how it answers: by a status with headers, or not at all.

    `taken` are the bodies of what it took.
    """

    def __init__(self) -> None:
        self.posts: list[tuple[dict[str, str], bytes]] = []
        self.taken: list[bytes] = []
        self.answer: int | None = 200
        self.headers: dict[str, str] = {}
        self.is_over = Event()
        receiving = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = receiving.answer
                receiving.posts.append((dict(self.headers), body))
                if status is None:
                    receiving.is_over.wait()
                    return
                if status < 300:
                    receiving.taken.append(body)
                self.send_response(status)
                for name, value in receiving.headers.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/secret/path"


@contextmanager
def receiver() -> Iterator[Receiving]:
    """Such a server, on a port of its own."""
    found = Receiving()
    thread = Thread(target=found.server.serve_forever)
    thread.start()
    try:
        yield found
    finally:
        found.is_over.set()
        found.server.shutdown()
        thread.join()
        found.server.server_close()
