"""A vendor's server on this machine that does as it is told, in a thread of its own: it answers to whatever client an
adapter has.
"""

import enum
import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote_plus

from tests.providers.exam import Said

# Longer than any question waits, so that a silent server is never the first to give up.
SILENCE_SECONDS = 30.0


class Mishap(enum.Enum):
    """What befalls a request instead of an answer, once it has been read whole."""

    SILENCE = "no answer ever comes"
    DROPPED = "the connection is closed without a word"
    CUT = "the status comes, and half of the body"


@dataclass(frozen=True)
class Asked:
    """One request as it came; header names in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    at: float

    @property
    def text(self) -> str:
        """What it says: the body, or the target of a request without one."""
        return self.body.decode() or self.target

    @property
    def plain(self) -> str:
        """All of it without the escapes of a form or a query, to look for a phone in."""
        return unquote_plus(f"{self.target} {' '.join(self.headers.values())} {self.body.decode()}")


Script = Callable[[Asked], Said | Mishap]


class Server(ThreadingHTTPServer):
    """Answers every request as `script` says, keeps connections open, and keeps what it was asked in `asked`."""

    daemon_threads = True

    def __init__(self) -> None:
        self.script: Script = lambda _: Mishap.DROPPED
        self.asked: list[Asked] = []
        self.over = threading.Event()
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening; connections are refused from now on. Repeatable."""
        if not self.over.is_set():
            self.over.set()
            self.shutdown()
            self.server_close()
            self._thread.join()


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def handle_one_request(self) -> None:
        """Like any, but for who no longer listens to the answer: that is what several questions are about."""
        try:
            super().handle_one_request()
        except ConnectionError:
            self.close_connection = True

    def log_message(self, *_: Any) -> None:
        """Say nothing: pytest shows what matters."""

    def answer(self) -> None:
        """Do as the script says."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked = Asked(self.command, self.path, headers, body, time.monotonic())
        self.server.asked.append(asked)
        said = self.server.script(asked)
        if isinstance(said, Said):
            self.say(said.status, said.headers, encode(said, asked))
            return
        if said is Mishap.SILENCE:
            self.server.over.wait(SILENCE_SECONDS)
        if said is Mishap.CUT:
            self.say(200, {"Content-Length": "1000"}, b"{")
        self.close_connection = True

    def say(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        """Write an answer."""
        self.send_response_only(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_PATCH = answer  # noqa: N815


def encode(said: Said, asked: Asked) -> bytes:
    """The body of an answer to this request: bytes as they are, a string in UTF-8, anything else as JSON."""
    body = said.body(asked.text) if callable(said.body) else said.body
    if isinstance(body, bytes):
        return body
    return (body if isinstance(body, str) else json.dumps(body)).encode()
