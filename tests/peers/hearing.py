"""A door of the test's own, for what peers say of their own accord; and how to wait for them."""

import socket
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from messaging.providers.base import Hook


class Ear(ThreadingHTTPServer):
    """Takes every GET and keeps it in `hooks`."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self) -> None:
        self.hooks: list[Hook] = []
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        self.shutdown()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of peers that were killed in mid-sentence: what is missing then fails the test."""

    def about(self, reference: str) -> list[Hook]:
        """The receipts of this message, in the order in which they came."""
        return [hook for hook in list(self.hooks) if hook.query.get("ref") == reference]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Ear

    def do_GET(self) -> None:
        """Keep it and say nothing."""
        url = f"{self.server.url}{self.path}"
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.hooks.append(Hook("GET", url, headers, b"", datetime.now(UTC)))
        self.send_response_only(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing: pytest shows what matters."""


def free_ports(count: int) -> list[int]:
    """Ports where nobody listens now."""
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def until(happens: Callable[[], object], what: str, seconds: float = 20.0) -> None:
    """Wait until `happens` is true, and fail when it does not become so."""
    deadline = time.monotonic() + seconds
    while not happens():
        if time.monotonic() > deadline:
            pytest.fail(f"not within {seconds:g} s: {what}")
        time.sleep(0.02)


def listens(port: int) -> bool:
    """Whether somebody takes connections there."""
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True
