"""The owner of the campaigns: makes, sends, pauses, resumes and repeats them through the real API."""

import http.client
import json
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

PATIENCE_SECONDS = 60.0


class NoAnswer(Exception):
    """The web did not answer, so nobody knows whether the call was done."""


class Owner:
    """Calls the web at `port`; `rest` is how to pass a moment between two tries."""

    def __init__(self, port: int, token: str, rest: Callable[[float], None]) -> None:
        self.port = port
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self._rest = rest

    def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Status and JSON of one call; raises `NoAnswer`."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            payload = None if body is None else json.dumps(body)
            connection.request(method, f"/api/v1{path}", payload, self._headers)
            answer = connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException) as fault:
            raise NoAnswer(type(fault).__name__) from fault
        finally:
            connection.close()
        try:
            return answer.status, json.loads(text or "null")
        except ValueError:
            return answer.status, None

    def insist(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """`call` again until there is an answer that is not of the 500s: for what is harmless when it is done twice."""
        patience = time.monotonic() + PATIENCE_SECONDS
        while True:
            with suppress(NoAnswer):
                status, answer = self.call(method, path, body)
                if status < 500:
                    return status, answer
            if time.monotonic() > patience:
                raise NoAnswer(f"{method} {path}")
            self._rest(0.3)

    def draft(self) -> int:
        """A new campaign; one whose answer was lost stays behind as a draft that nobody sends."""
        body = {"name": "Chaos", "channel": "sms", "base_template": "Hi {FirstName|friend}, all is well."}
        status, answer = self.insist("POST", "/campaigns", body)
        if status != 201:
            raise RuntimeError(f"no campaign could be made: {status} {answer}")
        return int(answer["id"])

    def send(self, campaign_id: int, body: Any) -> int:
        """Send it, again and again until one call has won; the last status."""
        status, answer = self.insist("POST", f"/campaigns/{campaign_id}/send", body)
        if status not in {202, 409}:
            raise RuntimeError(f"campaign {campaign_id} could not be sent: {status} {answer}")
        return status

    def begin_to_send(self, campaign_id: int, body: Any) -> socket.socket:
        """Write the request and do not wait for its answer."""
        payload = json.dumps(body).encode()
        head = [f"POST /api/v1/campaigns/{campaign_id}/send HTTP/1.1", "Host: 127.0.0.1"]
        head += [f"{name}: {value}" for name, value in self._headers.items()] + [f"Content-Length: {len(payload)}"]
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        connection.sendall("\r\n".join([*head, "", ""]).encode() + payload)
        return connection
