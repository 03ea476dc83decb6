"""What the simulator tells us later: who gets which receipt, how it is signed, and how it is read at our door."""

import asyncio
import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias

from messaging.providers import simulated_replies
from messaging.providers.base import Answer, Envelope, Forged, Hook, Malformed, Receipt, Reply
from messaging.providers.web import Web

SIGNATURE = "x-simulator-signature"
# A request may hold 1 MiB.
MOST_IN_ONE = 100
Status: TypeAlias = Literal["delivered", "read", "failed"]


class Receipts:
    """Says of the shares (0 to 1) `delivered`, `read` and `failed` of all messages what became of them.

    Who is `read` was `delivered` before, each `delay_seconds` after the last; of the rest no receipt ever comes. Who
    writes back (`simulated_replies`) has read it, and does so after as long again, whatever the shares.
    Signed with `secret`: without one they are not believed, and none is sent.
    """

    def __init__(
        self, *, secret: str, delivered: float = 0.0, read: float = 0.0, failed: float = 0.0, delay_seconds: float = 1.0
    ) -> None:
        if min(delivered, read, failed) < 0 or delivered + read + failed > 1:
            raise ValueError("The shares of receipts must lie between 0 and 1 and add up to no more than 1.")
        self.secret = secret
        self.shares: Mapping[Status, float] = {"failed": failed, "read": read, "delivered": delivered}
        self.delay_seconds = delay_seconds
        self._web = Web(timeout_seconds=10.0)
        self._under_way: set[asyncio.Task[None]] = set()

    def tell_later(self, taken: Sequence[Envelope], chance: Callable[[Envelope], float]) -> None:
        """Post what there is to say of these messages when its time has come; what a process that ends has left to say
        is lost.
        """
        if not self.secret:
            return
        fates = {each: fate for each in taken if each.receipt_url and (fate := self._fate(each, chance(each)))}
        for url in {envelope.receipt_url for envelope in fates}:
            mine = {envelope: fate for envelope, fate in fates.items() if envelope.receipt_url == url}
            task = asyncio.get_running_loop().create_task(self._tell(url, mine))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    def _fate(self, envelope: Envelope, chance: float) -> Status | None:
        if simulated_replies.words_of(envelope):
            return "read"
        for status, share in self.shares.items():
            if chance < share:
                return status
            chance -= share
        return None

    async def _tell(self, url: str, fates: Mapping[Envelope, Status]) -> None:
        await asyncio.sleep(self.delay_seconds)
        await self._post(url, "receipts", [_said(each, "delivered" if fate == "read" else fate)
                                           for each, fate in fates.items()])  # fmt: skip
        readers = [each for each, fate in fates.items() if fate == "read"]
        await asyncio.sleep(self.delay_seconds)
        await self._post(url, "receipts", [_said(each, "read") for each in readers])
        await asyncio.sleep(self.delay_seconds)
        await self._post(url, "replies", simulated_replies.write(readers, datetime.now(UTC)))

    async def _post(self, url: str, kind: Literal["receipts", "replies"], every: Sequence[Mapping[str, Any]]) -> None:
        """Some at a time; as from some vendors, what is not taken is never said again."""
        for first in range(0, len(every), MOST_IN_ONE):
            body = json.dumps({kind: every[first : first + MOST_IN_ONE]}).encode()
            headers = {SIGNATURE: sign(self.secret, body), "content-type": "application/json"}
            await self._web.call("POST", url, data=body, headers=headers)


def _said(envelope: Envelope, status: Status) -> dict[str, Any]:
    error = {"error": "simulated: the handset is switched off"} if status == "failed" else {}
    return {"reference": envelope.reference, "status": status, "at": datetime.now(UTC).isoformat()} | error


def sign(secret: str, body: bytes) -> str:
    """The HMAC (SHA-256) of a body, in hexadecimal digits."""
    return hmac.new(secret.encode(), body, "sha256").hexdigest()


class HearsReceipts:
    """What our door needs of the simulator: `{"receipts": [{"reference", "status", "at", "error", "opted_out"}]}`, or
    `{"replies": [{"id", "from", "to", "channel", "text", "at"}]}`.
    """

    secret = ""

    def verify(self, hook: Hook) -> None:
        """Raise `Forged` unless the body is signed with our secret."""
        if not self.secret:
            raise Forged("no secret is set")
        given = hook.headers.get(SIGNATURE, "")
        if not hmac.compare_digest(sign(self.secret, hook.body).encode(), given.encode(errors="replace")):
            raise Forged("the signature is missing or wrong")

    def read(self, hook: Hook) -> list[Receipt | Reply]:
        """Its receipts and replies; raises `Malformed`."""
        said = hook.json
        if not isinstance(said, dict) or not said.keys() & {"receipts", "replies"}:
            raise Malformed("there are neither receipts nor replies in it")
        told, written = said.get("receipts", []), said.get("replies", [])
        if not (isinstance(told, list) and isinstance(written, list)):
            raise Malformed("its receipts or replies are no list")
        return [*map(_receipt, told), *map(simulated_replies.read, written)]

    def answer(self, hook: Hook) -> Answer:
        """Any 200 will do."""
        return Answer()


def _receipt(said: Any) -> Receipt:
    try:
        return Receipt(
            status=said["status"],
            at=datetime.fromisoformat(said["at"]),
            reference=str(said.get("reference", "")),
            provider_message_id=str(said.get("id", "")),
            error=str(said.get("error", "")),
            opted_out=said.get("opted_out") is True,
        )
    except (TypeError, KeyError, ValueError, AttributeError):
        raise Malformed("one of its receipts makes no sense") from None
