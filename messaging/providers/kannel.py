"""Kannel's sendsms: any carrier that speaks SMPP, by a gateway that runs beside us.

What it answers was read off Debian's kannel 1.4.5-12 and the texts in its smsbox, what its receipts say off that one
with its fake SMSC and with an SMPP server behind it, all on 2026-11-25 (tests/peers/test_kannel.py asks it anew).
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

from messaging.providers import abreast
from messaging.providers.base import (
    Accepted,
    Answer,
    Capabilities,
    Envelope,
    GiveUp,
    Hook,
    Malformed,
    Outcome,
    Receipt,
    Reply,
    SlowDown,
    StopAll,
    TryLater,
    Unknown,
)
from messaging.providers.reading import moment, shown, writer, written_at
from messaging.providers.web import THROTTLED, Heard, Web, check_url, with_query

# 3GPP TS 23.038, 6.2.1 and 6.2.1.1. Kannel does not look by itself: with coding 0 the rest is sent as question marks.
GSM7 = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà\f^{}\\[~]|€"
)

# How the answer begins, by its HTTP status. "3:" waits in bearerbox's store until a carrier is connected; "Sent." is
# what a smsbox says that is set to answer at once.
ACCEPTED = {202: ("0:", "3:", "Sent.")}
REFUSED: dict[tuple[int, str], Callable[[str], Outcome]] = {
    (503, "Temporal failure"): SlowDown,  # sms-outgoing-queue-limit is reached
    (403, "Authorization failed"): StopAll,
    (403, "Not routable"): GiveUp,  # no carrier of the gateway takes this number
    (400, "Number(s) has/have been denied"): GiveUp,
    (400, "Missing receiver number"): GiveUp,
    (400, "Empty receiver number"): GiveUp,
    (400, "Sender missing"): StopAll,
    (400, "Invalid content-type"): StopAll,  # it calls itself Kannel and does not take a POST
}
STATUSES: dict[int, Callable[[str], Outcome]] = {
    401: StopAll,
    403: StopAll,
    404: StopAll,
    THROTTLED: SlowDown,
    503: TryLater,
}

# The bits of a receipt, the first that is set counts: 34 is failed by expiry.
BITS = {1: "delivered", 16: "failed", 2: "failed", 8: "sent", 4: "sent"}
EXPIRED = 32
# Without 4, "buffered at the carrier": that it is there 8 has said before.
WANTED_BITS = 1 + 2 + 8 + 16
# The carrier's refusal, and the state and error of an SMPP receipt (SMPP 3.4, appendix B). What else stands in either
# may hold the phone or the text.
_REFUSAL = re.compile(r"NACK/(0x[0-9a-f]{8})(?:/([A-Za-z ]{1,60}))?", re.ASCII)
_STATE = re.compile(r"\bstat:([A-Z]{1,10})\b(?:\s+err:(\w{1,5})\b)?", re.ASCII)
_NUMBERED = re.compile(r"(\w{1,8}): ", re.ASCII)


class Kannel:
    """Posts each text to `url`, smsbox's sendsms, for its user `username` and `password`; the headers carry them, so
    that no log of URLs holds them, and nobody in between repeats a POST.

    `sender` is what the phone shows; `smsc` names one of the gateway's carriers, else it chooses. `validity_minutes` is
    how long the carrier may try. Kannel gives no id and takes no reference: ours stands in the URL of the receipts. Its
    door is known by the secret path alone. Raises `ValueError` with a sentence for options that cannot be meant.
    """

    LABEL = "Kannel (SMPP)"
    SECRETS = frozenset({"password"})
    HELP: ClassVar[Mapping[str, str]] = {
        "url": "The gateway's sendsms, such as http://smsbox:13013/cgi-bin/sendsms.",
        "username": "Of a sendsms-user group of the gateway.",
        "password": "Of the same group.",
        "smsc": "The smsc-id to send by; empty: the gateway chooses.",
        "validity_minutes": "How long the carrier may try; empty: as long as it likes.",
    }

    def __init__(
        self,
        *,
        url: str,
        username: str,
        password: str,
        sender: str,
        smsc: str = "",
        validity_minutes: int | None = None,
        in_flight: int = 50,
        timeout_seconds: float = 20.0,
    ) -> None:
        for option, value in (("username", username), ("password", password), ("sender", sender)):
            if not (value.strip() and value.isascii() and value.isprintable()):
                raise ValueError(f"{option} must be given, in plain ASCII")
        if not (smsc.isascii() and smsc.isprintable()):
            raise ValueError("smsc must be plain ASCII")
        if validity_minutes is not None and not validity_minutes > 0:
            raise ValueError("validity_minutes must be more than 0")
        self.capabilities = Capabilities(
            channels=frozenset({"sms"}), in_flight=in_flight, timeout_seconds=timeout_seconds, paces=True
        )
        self.url = check_url("url", url)
        self.web = Web(
            timeout_seconds=timeout_seconds,
            headers={
                "Content-Type": "text/plain; charset=UTF-8",
                "X-Kannel-Username": username,
                "X-Kannel-Password": password,
                "X-Kannel-From": sender,
            }
            | ({"X-Kannel-SMSC": smsc} if smsc else {})
            | ({"X-Kannel-Validity": str(validity_minutes)} if validity_minutes else {}),
        )

    async def submit(self, envelopes: Sequence[Envelope]) -> list[Outcome]:
        """An outcome for each envelope, posted each at its time and none waiting for another."""
        return await abreast.each(envelopes, self._post)

    async def _post(self, envelope: Envelope) -> Outcome:
        headers = {"X-Kannel-To": envelope.to, "X-Kannel-Coding": "0" if GSM7.issuperset(envelope.text) else "2"}
        if envelope.receipt_url:
            headers |= {"X-Kannel-DLR-Mask": str(WANTED_BITS), "X-Kannel-DLR-Url": _receipt_url(envelope)}
        heard = await self.web.call(
            "POST", self.url, not_before=envelope.not_before, data=envelope.text.encode(), headers=headers
        )
        return _outcome(heard) if isinstance(heard, Heard) else heard

    def verify(self, hook: Hook) -> None:
        """Kannel signs nothing: the secret path is all that tells it from others."""

    def read(self, hook: Hook) -> Sequence[Receipt | Reply]:
        """The receipt or the reply that the URL tells; raises `Malformed` when it is neither."""
        said = hook.query
        if "ref" in said:
            return _receipts(said, hook)
        if "from" in said and "text" in said:
            return _replies(said, hook)
        raise Malformed("it names neither ref nor from and text")

    def answer(self, hook: Hook) -> Answer:
        """Nothing: Kannel sends on to the person what stands in the answer to a reply."""
        return Answer()


def _receipt_url(envelope: Envelope) -> str:
    """Our door with our reference, as Kannel's own template: it fills in what follows a percent sign."""
    ours = with_query(envelope.receipt_url, ref=envelope.reference).replace("%", "%%")
    return f"{ours}&type=%d&id=%F&at=%T&said=%A"


def _outcome(heard: Heard) -> Outcome:
    said = heard.body[:200].decode(errors="replace")
    if said.startswith(ACCEPTED.get(heard.status, ("\0",))):
        return Accepted()
    for (status, words), refusal in REFUSED.items():
        if heard.status == status and said.startswith(words):
            return refusal(f"HTTP {status}: {words}")
    numbered = _NUMBERED.match(said)
    error = f"HTTP {heard.status}" + (f", {shown(numbered[1])}" if numbered else "")
    if heard.status == THROTTLED:
        return heard.slow_down
    return STATUSES.get(heard.status, GiveUp if 400 <= heard.status < 500 else Unknown)(error)


def _receipts(said: dict[str, str], hook: Hook) -> list[Receipt]:
    kind = said.get("type", "")
    if not (said["ref"] and kind.isascii() and kind.isdecimal() and len(kind) < 5):
        raise Malformed("a receipt without its message or its type")
    at = moment(said.get("at"), hook.received_at)
    status = next((status for bit, status in BITS.items() if int(kind) & bit), None)
    if status is None:
        return []
    error = _why(int(kind), said.get("said", "")) if status == "failed" else ""
    return [Receipt(status, at, said["ref"], said.get("id", ""), error)]  # type: ignore[arg-type]


def _why(kind: int, said: str) -> str:
    """What is known of a failure, without what may hold the phone or the text."""
    if refusal := _REFUSAL.match(said):
        return " ".join(filter(None, refusal.groups()))
    if state := _STATE.search(said):
        return state[1] + (f", error {state[2]}" if state[2] else "")
    return "expired" if kind & EXPIRED else "refused by the carrier" if kind & 16 else "not delivered"


def _replies(said: dict[str, str], hook: Hook) -> list[Reply]:
    """One, or none when it is from a sender's name or a short code: nobody there can be written to."""
    number, at = writer(said["from"]), written_at(said.get("at"), hook.received_at)
    if not number:
        return []
    return [Reply("sms", number, said["text"], at, provider_message_id=said.get("id", ""), to=said.get("to", ""))]
