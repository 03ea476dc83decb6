"""The receipts of the simulator: who gets which, how they are signed, and how they are read at our door."""

import asyncio
import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias

from messaging.providers.base import Answer, Envelope, Forged, Hook, Malformed, Receipt
from messaging.providers.web import Web

SIGNATURE = "x-simulator-signature"
# A request may hold 1 MiB.
MOST_IN_ONE = 100
Status: TypeAlias = Literal["delivered", "read", "failed"]


class Receipts:
    """Says of the shares (0 to 1) `delivered`, `read` and `failed` of all messages what became of them.

    Who is `read` was `delivered` before, each `delay_seconds` after the last; of the rest no receipt ever comes.
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
        """Post the receipts of these messages when their time has come; those of a process that ends are lost."""
        if not (self.secret and any(self.shares.values())):
            return
        reachable = [envelope for envelope in taken if envelope.receipt_url]
        fates = {envelope.reference: self._fate(chance(envelope)) for envelope in reachable}
        for url in {envelope.receipt_url for envelope in reachable}:
            mine = [envelope.reference for envelope in reachable if envelope.receipt_url == url]
            task = asyncio.get_running_loop().create_task(self._tell(url, {each: fates[each] for each in mine}))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    def _fate(self, chance: float) -> Status | None:
        for status, share in self.shares.items():
            if chance < share:
                return status
            chance -= share
        return None

    async def _tell(self, url: str, fates: Mapping[str, Status | None]) -> None:
        await asyncio.sleep(self.delay_seconds)
        first = {each: "delivered" if fate == "read" else fate for each, fate in fates.items() if fate}
        await self._post(url, first)
        await asyncio.sleep(self.delay_seconds)
        await self._post(url, {each: fate for each, fate in fates.items() if fate == "read"})

    async def _post(self, url: str, said: Mapping[str, str]) -> None:
        """Some at a time; as from some vendors, what is not taken is never said again."""
        now = datetime.now(UTC).isoformat()
        every = [
            {"reference": reference, "status": status, "at": now}
            | ({"error": "simulated: the handset is switched off"} if status == "failed" else {})
            for reference, status in said.items()
        ]
        for first in range(0, len(every), MOST_IN_ONE):
            body = json.dumps({"receipts": every[first : first + MOST_IN_ONE]}).encode()
            headers = {SIGNATURE: sign(self.secret, body), "content-type": "application/json"}
            await self._web.call("POST", url, data=body, headers=headers)


def sign(secret: str, body: bytes) -> str:
    """The HMAC (SHA-256) of a body, in hexadecimal digits."""
    return hmac.new(secret.encode(), body, "sha256").hexdigest()


class HearsReceipts:
    """What our door needs of the simulator: `{"receipts": [{"reference", "status", "at", "error", "opted_out"}]}`."""

    secret = ""

    def verify(self, hook: Hook) -> None:
        """Raise `Forged` unless the body is signed with our secret."""
        if not self.secret:
            raise Forged("no secret is set")
        given = hook.headers.get(SIGNATURE, "")
        if not hmac.compare_digest(sign(self.secret, hook.body).encode(), given.encode(errors="replace")):
            raise Forged("the signature is missing or wrong")

    def read(self, hook: Hook) -> list[Receipt]:
        """Its receipts; raises `Malformed`."""
        said = hook.json
        if not isinstance(said, dict) or not isinstance(said.get("receipts"), list):
            raise Malformed("there are no receipts in it")
        return [_receipt(each) for each in said["receipts"]]

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
