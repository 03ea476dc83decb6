"""Telnyx: SMS by one POST of JSON a message. Read at https://developers.telnyx.com/docs/messaging on 2026-11-25."""

from base64 import b64decode
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal
from urllib.parse import parse_qsl

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from messaging.providers import abreast
from messaging.providers.base import (
    Accepted,
    Answer,
    Capabilities,
    Envelope,
    Forged,
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
from messaging.providers.calls import check_word
from messaging.providers.reading import dig, moment, phone, shown
from messaging.providers.telnyx_codes import CODES, Kind
from messaging.providers.web import THROTTLED, Heard, Web, check_url, with_query

_STOPPED = "40300"
STATUSES_OF_HTTP: Mapping[int, Kind] = {401: StopAll, 402: StopAll, 403: StopAll, 404: StopAll, THROTTLED: SlowDown}

# `queued` and `sending` are Telnyx's: it has the message. `delivery_unconfirmed` is final, but nobody knows more.
STATUSES: Mapping[str, Literal["sent", "delivered", "failed"]] = {
    "queued": "sent",
    "sending": "sent",
    "sent": "sent",
    "delivery_unconfirmed": "sent",
    "delivered": "delivered",
    "cancelled": "failed",
    "expired": "failed",
    "sending_failed": "failed",
    "delivery_failed": "failed",
}
# What Telnyx itself answered to the reply (`autoresponse_type`), and so what it did with its own list.
WISHES: Mapping[str, Literal["opt_out", "opt_in", "help"]] = {"STOP": "opt_out", "START": "opt_in", "HELP": "help"}

# As Telnyx's own libraries have it.
LARGEST_SKEW_SECONDS = 300
# A limit of Telnyx's counts by the second, minute or day: what says more than an hour is left to our own waiting.
_LONGEST_WAIT_SECONDS = 3600


class Telnyx:
    """One account, by its `api_key`; `public_key` is what its receipts and replies are verified with.

    Messages come from `sender`, or from a number that Telnyx chooses in the messaging profile; a sender that is a word
    needs its profile too. Raises `ValueError` with a sentence for wrong options.
    """

    LABEL = "Telnyx"
    SECRETS = frozenset({"api_key"})
    HELP: Mapping[str, str] = {
        "public_key": "Of the account, as its portal shows it: Telnyx signs what it sends to our door with it.",
        "sender": "A number with its plus, a short code, or a word; a word needs the messaging profile too.",
        "messaging_profile_id": "Without a sender, Telnyx chooses one of the numbers of this profile.",
    }

    def __init__(
        self,
        *,
        api_key: str,
        public_key: str,
        sender: str = "",
        messaging_profile_id: str = "",
        url: str = "https://api.telnyx.com",
        in_flight: int = 50,
        timeout_seconds: float = 20.0,
    ) -> None:
        if not (sender or messaging_profile_id):
            raise ValueError("sender or messaging_profile_id must be given")
        self.capabilities = Capabilities(
            channels=frozenset({"sms"}), in_flight=in_flight, timeout_seconds=timeout_seconds, paces=True
        )
        self.url = f"{check_url('url', url).rstrip('/')}/v2/messages"
        self._key = _key(public_key)
        given = {"from": sender, "messaging_profile_id": messaging_profile_id}
        self._from = {name: value for name, value in given.items() if value}
        headers = {"Authorization": f"Bearer {check_word('api_key', api_key)}"}
        self._web = Web(timeout_seconds=timeout_seconds, headers=headers)

    async def submit(self, envelopes: Sequence[Envelope]) -> list[Outcome]:
        """An outcome for each envelope, posted each at its time and none waiting for another."""
        return await abreast.each(envelopes, self._post)

    async def _post(self, envelope: Envelope) -> Outcome:
        body = {**self._from, "to": envelope.to, "text": envelope.text}
        if envelope.receipt_url:
            body["webhook_url"] = with_query(envelope.receipt_url, reference=envelope.reference)
        heard = await self._web.call(
            "POST",
            self.url,
            not_before=envelope.not_before,
            is_ours=lambda heard: _reference(dig(heard.json, "data.webhook_url")) in ("", envelope.reference),
            json=body,
        )
        return _outcome(heard) if isinstance(heard, Heard) else heard

    def verify(self, hook: Hook) -> None:
        """Raise `Forged` unless Telnyx signed the body, within five minutes of its coming."""
        given, signed_at = hook.headers.get("telnyx-signature-ed25519", ""), hook.headers.get("telnyx-timestamp", "")
        if not (given and signed_at):
            raise Forged("the signature is missing")
        try:
            self._key.verify(b64decode(given, validate=True), signed_at.encode() + b"|" + hook.body)
            skew = abs(hook.received_at.timestamp() - int(signed_at))
        except (InvalidSignature, ValueError):
            raise Forged("the signature is wrong") from None
        if skew > LARGEST_SKEW_SECONDS:
            raise Forged("the signature is of another time")

    def read(self, hook: Hook) -> Sequence[Receipt | Reply]:
        """One receipt or reply, or nothing when the event or its status is not known; raises `Malformed`."""
        told = hook.json
        event, payload = dig(told, "data.event_type"), dig(told, "data.payload")
        if not isinstance(event, str) or not isinstance(payload, Mapping):
            raise Malformed("it is no event")
        try:
            at = moment(dig(told, "data.occurred_at"), hook.received_at)
            if event in ("message.sent", "message.finalized"):
                return _receipts(payload, at)
            return _replies(payload, at) if event == "message.received" else []
        except ValueError:
            raise Malformed("it names no message") from None

    def answer(self, hook: Hook) -> Answer:
        """Nothing."""
        return Answer()


def _key(public_key: str) -> Ed25519PublicKey:
    try:
        return Ed25519PublicKey.from_public_bytes(b64decode(public_key.strip(), validate=True))
    except (AttributeError, ValueError):
        raise ValueError("public_key must be the account's public key as the portal shows it, in Base64") from None


def _outcome(heard: Heard) -> Outcome:
    if 200 <= heard.status < 300:
        message_id = dig(heard.json, "data.id")
        return Accepted(message_id) if isinstance(message_id, str) and message_id else Unknown("HTTP 2xx without an id")
    if heard.status == 503:
        return TryLater("HTTP 503")
    if not 400 <= heard.status < 500 or heard.status == 408:
        return Unknown(f"HTTP {heard.status}")
    fault = dig(heard.json, "errors.0")
    kind, error = _kind(fault, heard.status), _error(fault) or f"HTTP {heard.status}"
    return SlowDown(error, _wait(heard)) if kind is SlowDown else kind(error)


def _kind(fault: Any, status: int) -> Kind:
    """What a refusal means. Its code goes before its status: STOP comes with 403, the day's spend limit with 429."""
    code = _code(fault)
    if code == _STOPPED and not _is_stopped(fault):
        return GiveUp
    if code in CODES:
        return CODES[code][0]
    # A 403 that names something else may be about this one person; one that names nothing is about the key.
    return GiveUp if status == 403 and code else STATUSES_OF_HTTP.get(status, GiveUp)


def _code(fault: Any) -> str:
    code = dig(fault, "code")
    return str(code) if isinstance(code, str | int) else ""


def _is_stopped(fault: Any) -> bool:
    """Whether it says that the person wrote STOP. Its code alone does not: it is seen for other blocks as well."""
    return _code(fault) == _STOPPED and "STOP" in str(dig(fault, "title"))


def _error(fault: Any) -> str:
    """A fault for people, without Telnyx's own sentence; empty when it has no code."""
    code = _code(fault)
    if not code:
        return ""
    words = CODES[code][1] if code in CODES else "not known"
    return f"code {shown(code)}: {'blocked' if code == _STOPPED and not _is_stopped(fault) else words}"


def _wait(heard: Heard) -> float | None:
    """The seconds until the limit is lifted, where the answer says them."""
    reset = heard.headers.get("x-ratelimit-reset", "")
    seconds = int(reset) if reset.isascii() and reset.isdigit() and len(reset) < 10 else None
    if heard.retry_after is not None or seconds is None or seconds > _LONGEST_WAIT_SECONDS:
        return heard.retry_after
    return float(seconds)


def _reference(address: Any) -> str:
    """Our reference, which stands in the address of our door; empty for another address."""
    _, _, query = str(address).partition("?")
    return dict(parse_qsl(query, errors="replace")).get("reference", "")


def _receipts(payload: Mapping[str, Any], at: datetime) -> list[Receipt | Reply]:
    # Our reference is read from the address as Telnyx signed it, not from the one that was called, which nobody signed.
    reference, message_id = _reference(dig(payload, "webhook_url")), str(dig(payload, "id") or "")
    status = STATUSES.get(str(dig(payload, "to.0.status")))
    if not (reference or message_id):
        raise ValueError
    if status is None:
        return []
    fault = dig(payload, "errors.0") if status == "failed" else None
    to = phone(dig(payload, "to.0.phone_number")) if _is_stopped(fault) else ""
    return [Receipt(status, at, reference, message_id, _error(fault), _is_stopped(fault), to)]


def _replies(payload: Mapping[str, Any], at: datetime) -> list[Receipt | Reply]:
    # It carries what comes by WhatsApp and RCS too, in another shape.
    if dig(payload, "type") not in ("SMS", "MMS", None):
        return []
    sender = dig(payload, "from.phone_number")
    if not sender:
        raise ValueError
    # A short code or a word is nobody whom we wrote to.
    if not phone(sender):
        return []
    return [
        Reply(
            "sms",
            phone(sender),
            str(dig(payload, "text") or ""),
            at,
            provider_message_id=str(dig(payload, "id") or ""),
            to=str(dig(payload, "to.0.phone_number") or ""),
            wish=WISHES.get(str(dig(payload, "autoresponse_type")).upper(), ""),
        )
    ]
