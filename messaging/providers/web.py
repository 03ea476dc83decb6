"""What all adapters share that post to a vendor's HTTP API: one session a process, each message at its own time, and
what a broken connection means.
"""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from messaging.providers.base import SlowDown, TryLater, Unknown

# Shorter than servers keep an idle connection (aiohttp 75 s, nginx 75 s, gunicorn 2 s behind a proxy): a POST on a
# connection that the server is just closing ends as `Unknown` although nobody has read it.
KEEP_ALIVE_SECONDS = 15.0
# A vendor's answer is a few hundred bytes a message; whoever sends more is not answering us.
LARGEST_ANSWER = 4 * 1024 * 1024
THROTTLED = 429


@dataclass(frozen=True, slots=True)
class Heard:
    """A vendor's whole answer; header names in lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    # Whether the answer came whole: the status of one that broke off stands, its body does not.
    is_whole: bool = True

    @property
    def json(self) -> dict[str, Any]:
        """Its JSON object; empty when it is none."""
        try:
            body: Any = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return body if isinstance(body, dict) else {}

    @property
    def retry_after(self) -> float | None:
        """The seconds of `Retry-After` (RFC 9110, 10.2.3); the form with a date is left to our own waiting."""
        value = self.headers.get("retry-after", "")
        return float(value) if value.isascii() and value.isdigit() and len(value) < 10 else None

    @property
    def slow_down(self) -> SlowDown:
        """What a 429 means: certainly not accepted."""
        return SlowDown(f"HTTP {self.status}", self.retry_after)


class Web:
    """A vendor's HTTP API, called from the process's one event loop."""

    def __init__(self, *, timeout_seconds: float, headers: Mapping[str, str] | None = None) -> None:
        self.timeout_seconds = timeout_seconds
        self.headers = dict(headers or {})
        self._session: aiohttp.ClientSession | None = None

    async def call(
        self,
        method: str,
        url: str,
        *,
        not_before: float = 0.0,
        is_ours: Callable[[Heard], bool] = lambda _: True,
        **request: Any,
    ) -> Heard | TryLater | Unknown:
        """The answer to a request that leaves at `not_before`; `request` is what aiohttp takes (`json`, `data`,
        `params`, `headers`). Never raises for what happens outside.

        A connection that was refused is `TryLater`; a time-out or a break after the request began is `Unknown`.
        Redirects are not followed: who answers one may have taken the message. An answer that is not `is_ours` is a
        late one to an earlier request on the same connection: it says nothing about ours, and nothing more is read from
        there.
        """
        await asyncio.sleep(not_before - asyncio.get_running_loop().time())
        try:
            async with self._open().request(method, url, allow_redirects=False, **request) as answer:
                heard = await _hear(answer)
                if heard.is_whole and is_ours(heard):
                    return heard
                answer.close()
                return Unknown("the answer names another message") if heard.is_whole else heard
        except aiohttp.ClientConnectorError as fault:
            return TryLater(f"not connected: {type(fault.os_error).__name__}")
        except (aiohttp.ClientError, TimeoutError) as fault:
            return Unknown(f"no answer: {type(fault).__name__}")

    async def close(self) -> None:
        """End its connections; the next call makes new ones."""
        session, self._session = self._session, None
        if session:
            await session.close()

    def _open(self) -> aiohttp.ClientSession:
        """The session of the process's one loop; made at the first call, because it belongs to a running loop."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                # How many are on the wire is the engine's to say.
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE_SECONDS),
                timeout=aiohttp.ClientTimeout(total=self.timeout_seconds * 0.95),
                headers=self.headers,
            )
        return self._session


async def _hear(answer: aiohttp.ClientResponse) -> Heard:
    headers = {name.lower(): value for name, value in answer.headers.items()}
    body = bytearray()
    try:
        async for chunk in answer.content.iter_any():
            body += chunk
            if len(body) > LARGEST_ANSWER:
                return Heard(answer.status, headers, is_whole=False)
    except aiohttp.ClientPayloadError:
        return Heard(answer.status, headers, is_whole=False)
    return Heard(answer.status, headers, bytes(body))
