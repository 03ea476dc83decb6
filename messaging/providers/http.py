"""A provider reached by one HTTP POST of JSON a message: what the engine is measured and attacked with."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any

import aiohttp

from messaging.providers.base import (
    Accepted,
    Capabilities,
    Envelope,
    GiveUp,
    Outcome,
    SlowDown,
    StopAll,
    TryLater,
    Unknown,
)

# Shorter than servers keep an idle connection (aiohttp 75 s, nginx 75 s, gunicorn 2 s behind a proxy): a POST on a
# connection that the server is just closing ends as `Unknown` although nobody has read it.
KEEP_ALIVE_SECONDS = 15.0
ACCOUNT_REFUSED = frozenset({401, 402, 403})
THROTTLED, UNAVAILABLE = 429, 503


class Http:
    """Posts `{"reference", "channel", "to", "text"}` to `url`; a 2xx accepts it, and its JSON may name an `id`.

    429 and 503 were not accepted and may be repeated, after `Retry-After` seconds where that is given; 401, 402 and 403
    mean the account; any other 4xx is for good; any other answer (a redirect, which is not followed), a time-out and a
    connection that breaks after the request began are `Unknown`. A connection that is refused is `TryLater`.

    An answer whose JSON names another `reference` is a late second one to an earlier request on the same connection: it
    says nothing about ours, which is then `Unknown`, and nothing more is read from that connection.

    With `look_up_url`, `GET look_up_url/REFERENCE` tells what became of a message: 200 with `{"id"}` when it was
    accepted, 404 when it never was.
    """

    LABEL = "JSON over HTTP"
    SECRETS = frozenset({"headers"})

    def __init__(
        self,
        *,
        url: str,
        look_up_url: str | None = None,
        headers: Mapping[str, str] | None = None,
        in_flight: int = 100,
        timeout_seconds: float = 20.0,
    ) -> None:
        self.capabilities = Capabilities(
            in_flight=in_flight, timeout_seconds=timeout_seconds, looks_up=look_up_url is not None, paces=True
        )
        self.url = url
        self.look_up_url = look_up_url
        self.headers = dict(headers or {})
        self._session: aiohttp.ClientSession | None = None

    async def submit(self, envelopes: Sequence[Envelope]) -> list[Outcome]:
        """An outcome for each envelope, posted each at its time and none waiting for another."""
        return list(await asyncio.gather(*map(self._post, envelopes)))

    async def look_up(self, references: Sequence[str]) -> list[Outcome | None]:
        """What became of each: `Accepted`, `GiveUp` when it never was, None when that cannot be told now."""
        return list(await asyncio.gather(*map(self._ask, references)))

    async def _post(self, envelope: Envelope) -> Outcome:
        body = {
            "reference": envelope.reference, "channel": envelope.channel, "to": envelope.to, "text": envelope.text,
        }  # fmt: skip
        await asyncio.sleep(envelope.not_before - asyncio.get_running_loop().time())
        try:
            async with self._open().post(self.url, json=body, allow_redirects=False) as answer:
                said = await _body(answer)
                if said.get("reference", envelope.reference) != envelope.reference:
                    answer.close()
                    return Unknown("the answer names another message")
                return _outcome(answer, said)
        except aiohttp.ClientConnectorError as fault:
            return TryLater(f"not connected: {type(fault.os_error).__name__}")
        except (aiohttp.ClientError, TimeoutError) as fault:
            return Unknown(f"no answer: {type(fault).__name__}")

    async def _ask(self, reference: str) -> Outcome | None:
        try:
            async with self._open().get(f"{self.look_up_url}/{reference}", allow_redirects=False) as answer:
                if answer.status == 404:
                    return GiveUp("the provider never got it")
                return Accepted(_id(await _body(answer))) if answer.status == 200 else None
        except (aiohttp.ClientError, TimeoutError):
            return None

    def _open(self) -> aiohttp.ClientSession:
        """The session of the process's one loop; made at the first call, because it belongs to a running loop."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                # How many are on the wire is the engine's to say.
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE_SECONDS),
                timeout=aiohttp.ClientTimeout(total=self.capabilities.timeout_seconds * 0.95),
                headers=self.headers,
            )
        return self._session


def _outcome(answer: aiohttp.ClientResponse, body: Mapping[str, Any]) -> Outcome:
    status = answer.status
    if 200 <= status < 300:
        return Accepted(_id(body))
    error = f"HTTP {status}"
    if status == THROTTLED:
        return SlowDown(error, _retry_after(answer))
    if status == UNAVAILABLE:
        return TryLater(error)
    if status in ACCOUNT_REFUSED:
        return StopAll(error)
    return GiveUp(error) if 400 <= status < 500 else Unknown(error)


async def _body(answer: aiohttp.ClientResponse) -> Mapping[str, Any]:
    """Its JSON object, or nothing: a 2xx that cannot be read has accepted the message all the same."""
    try:
        body: Any = json.loads(await answer.read())
    except (ValueError, aiohttp.ClientPayloadError):
        return {}
    return body if isinstance(body, dict) else {}


def _id(body: Mapping[str, Any]) -> str:
    """The provider's name for the message."""
    return str(body.get("id", ""))


def _retry_after(answer: aiohttp.ClientResponse) -> float | None:
    """Its seconds (RFC 9110, 10.2.3); the form with a date is left to our own waiting."""
    value = answer.headers.get("Retry-After", "")
    return float(value) if value.isascii() and value.isdigit() else None
