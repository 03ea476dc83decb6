"""WhatsApp by Meta's Cloud API: approved templates, free texts within a person's 24 hours, receipts, replies.

Facts read on 2026-11-25: the calls in Meta's OpenAPI description (v23.0), the webhooks in its reference (of 2026-05-21)
and in the open-source client pywa 4.5. What is marked "unverified" was found in none of them.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from hashlib import blake2b
from hmac import compare_digest
from typing import Any, ClassVar, Literal

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
from messaging.providers.reading import compare, dig, moment, phone, shown, signature, written_at
from messaging.providers.web import Heard, Web, check_url
from messaging.providers.whatsapp_codes import DOUBTFUL, SECONDS, meaning

STATUSES: dict[str, Literal["sent", "delivered", "read", "failed"]] = {
    "sent": "sent", "delivered": "delivered", "read": "read", "played": "read", "failed": "failed",
}  # fmt: skip
OPTED_OUT = 131050
# Where a person's words stand in each kind of message; other kinds are replies without words.
WORDS = (
    "text.body", "button.text", "interactive.button_reply.title", "interactive.list_reply.title", "image.caption",
    "video.caption", "document.caption",
)  # fmt: skip
# What nobody wrote: a thumb under one of our messages, and that a number has changed.
NO_REPLIES = frozenset({"reaction", "system"})
WISHES: dict[str, Literal["opt_out", "opt_in"]] = {"stop": "opt_out", "resume": "opt_in"}
ACCOUNT_REFUSED = frozenset({401, 402, 403, 404})
# A parameter that is not valid is the message's, unless it is the sender's id; unverified.
NO_SUCH_OBJECT = (100, 33)
THROTTLED, UNAVAILABLE = 429, 503


class WhatsAppCloud:
    """One business number, by its `phone_number_id`, with an `access_token` of a system user.

    `app_secret` is the app's, which signs Meta's requests to our door; `verify_token` is what was entered with the
    door's address. Without them nothing that comes is believed. Raises `ValueError` with a sentence for wrong options.

    It cannot look up: Meta answers no question about a message. Receipts, which repeat our reference, settle what is
    unknown.
    """

    LABEL = "WhatsApp Cloud API (Meta)"
    SECRETS = frozenset({"access_token", "app_secret", "verify_token"})
    HELP: ClassVar[Mapping[str, str]] = {
        "phone_number_id": "Meta's ID of the number, in digits; not the number itself.",
        "access_token": "Of a system user with whatsapp_business_messaging.",
        "app_secret": "Of the Meta app: proves receipts and replies. Without it none is believed.",
        "verify_token": "Any word of yours; enter the same at Meta, with the address for receipts.",
        "version": "Of Meta's API.",
        "url": "Meta's own, or another server for tests.",
    }

    def __init__(
        self,
        *,
        phone_number_id: str,
        access_token: str,
        app_secret: str = "",
        verify_token: str = "",
        version: str = "v23.0",
        url: str = "https://graph.facebook.com",
        in_flight: int = 80,
        timeout_seconds: float = 20.0,
    ) -> None:
        if not re.fullmatch(r"[0-9]{5,32}", phone_number_id, re.ASCII):
            raise ValueError("phone_number_id must be the digits that Meta gives the number, and not the number itself")
        if not access_token:
            raise ValueError("access_token must not be empty")
        if not re.fullmatch(r"v[0-9]{1,3}\.[0-9]", version, re.ASCII):
            raise ValueError("version must be such as v23.0")
        self.capabilities = Capabilities(
            channels=frozenset({"whatsapp"}), in_flight=in_flight, timeout_seconds=timeout_seconds, paces=True
        )
        self.url = f"{check_url('url', url).rstrip('/')}/{version}/{phone_number_id}/messages"
        self._app_secret, self._verify_token = app_secret, verify_token
        self._web = Web(timeout_seconds=timeout_seconds, headers={"Authorization": f"Bearer {access_token}"})

    async def submit(self, envelopes: Sequence[Envelope]) -> list[Outcome]:
        """An outcome for each envelope, posted each at its time and none waiting for another."""
        return await abreast.each(envelopes, self._post)

    async def _post(self, envelope: Envelope) -> Outcome:
        heard = await self._web.call(
            "POST",
            self.url,
            not_before=envelope.not_before,
            is_ours=lambda heard: phone(dig(heard.json, "contacts.0.input") or envelope.to) == phone(envelope.to),
            json=_message(envelope),
        )
        return _outcome(heard) if isinstance(heard, Heard) else heard

    def verify(self, hook: Hook) -> None:
        """Raise `Forged` unless the app's secret signed the body, or, when Meta tries the door, it knows the token."""
        if hook.method == "GET":
            given = hook.query.get("hub.verify_token", "")
            is_right = compare_digest(given.encode(errors="replace"), self._verify_token.encode())
            if not (self._verify_token and is_right and hook.query.get("hub.mode") == "subscribe"):
                raise Forged("the verify token is wrong")
            return
        if not self._app_secret:
            raise Forged("this account has no app_secret to know it by")
        compare(hook.headers.get("x-hub-signature-256", ""), f"sha256={signature(self._app_secret, hook.body)}")

    def read(self, hook: Hook) -> Sequence[Receipt | Reply]:
        """The receipts, replies and wishes of all its changes; nothing when Meta only tries the door.

        Raises `Malformed`. Changes of other kinds say nothing. Those of the app's other numbers are read too: a wish
        counts whichever number it came to.
        """
        if hook.method == "GET":
            return []
        told = hook.json
        if dig(told, "object") != "whatsapp_business_account":
            raise Malformed("it is about no WhatsApp account")
        try:
            return [said for value in _values(told) for said in _say(value, hook.received_at)]
        except (AttributeError, KeyError, TypeError, ValueError):
            raise Malformed("a change cannot be understood") from None

    def answer(self, hook: Hook) -> Answer:
        """Nothing; the challenge when Meta tries the door."""
        return Answer(hook.query.get("hub.challenge", "")) if hook.method == "GET" else Answer()


def _message(envelope: Envelope) -> dict[str, Any]:
    message: dict[str, Any] = {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": envelope.to,
        "biz_opaque_callback_data": envelope.reference,
    }
    template = envelope.template
    if template is None:
        return {**message, "type": "text", "text": {"body": envelope.text, "preview_url": False}}
    named: dict[str, Any] = {
        "name": template.name,
        "language": {"code": template.language, "policy": "deterministic"},
    }
    if template.variables:
        blanks = [{"type": "text", "text": variable} for variable in template.variables]
        named["components"] = [{"type": "body", "parameters": blanks}]
    return {**message, "type": "template", "template": named}


def _outcome(heard: Heard) -> Outcome:
    if 200 <= heard.status < 300:
        return _taken(heard)
    code = dig(heard.json, "error.code")
    error = f"HTTP {heard.status}" if code is None else _words(code)
    known = meaning(code) if isinstance(code, int) else None
    if (code, dig(heard.json, "error.error_subcode")) == NO_SUCH_OBJECT:
        return StopAll(f"{error}: there is no such sender, or the token may not use it")
    if known and not (heard.status >= 500 and code in DOUBTFUL):
        refusal = known[0]
    elif heard.status == THROTTLED:
        refusal = SlowDown
    elif heard.status == UNAVAILABLE:
        refusal = TryLater
    elif not 400 <= heard.status < 500:
        return Unknown(error)
    else:
        refusal = StopAll if heard.status in ACCOUNT_REFUSED else GiveUp
    if refusal is SlowDown:
        return SlowDown(error, heard.retry_after if heard.retry_after is not None else SECONDS.get(code))
    return refusal(error)


def _taken(heard: Heard) -> Outcome:
    named = dig(heard.json, "messages.0.id")
    if not isinstance(named, str):
        return Unknown(f"HTTP {heard.status} without a message's id")
    # Unverified: held for a quality assessment it still goes out or a receipt says that it failed. Whether it does when
    # the template is paused nobody says, and Meta gave it an id: not known to be refused, it is not sent again.
    if dig(heard.json, "messages.0.message_status") == "paused":
        return Unknown("the template is paused")
    return Accepted(named)


def _words(code: Any) -> str:
    known = meaning(code) if isinstance(code, int) else None
    return f"code {shown(code)}: {known[1]}" if known else f"code {shown(code)}"


def _values(told: Any) -> Iterator[dict[str, Any]]:
    for entry in told["entry"]:
        yield from (change["value"] for change in entry["changes"])


def _say(value: dict[str, Any], received_at: datetime) -> Iterator[Receipt | Reply]:
    """What one change says."""
    ours = str(dig(value, "metadata.display_phone_number") or "")
    for status in value.get("statuses", ()):
        if status["status"] in STATUSES:
            yield _receipt(status, received_at)
    for message in value.get("messages", ()):
        whose = phone(message.get("from"))
        # A person without a number is a "business-scoped user", to whom we have never written.
        if whose and message.get("type") not in NO_REPLIES:
            words = next((found for path in WORDS if isinstance(found := dig(message, path), str)), "")
            at = written_at(message.get("timestamp"), received_at)
            yield Reply("whatsapp", whose, words, at, message["id"], ours)
    for wish in value.get("user_preferences", ()):
        if wish.get("category") == "marketing_messages" and wish["value"] in WISHES and phone(wish.get("wa_id")):
            yield _wish(wish, received_at, ours)


def _receipt(status: dict[str, Any], received_at: datetime) -> Receipt:
    code = dig(status, "errors.0.code") if status["status"] == "failed" else None
    return Receipt(
        STATUSES[status["status"]],
        moment(status.get("timestamp"), received_at),
        reference=str(status.get("biz_opaque_callback_data") or ""),
        provider_message_id=str(status.get("id") or ""),
        error="" if status["status"] != "failed" else "failed, without a code" if code is None else _words(code),
        opted_out=code == OPTED_OUT,
        to=phone(status.get("recipient_id")) if code == OPTED_OUT else "",
        channel="whatsapp",
    )


def _wish(wish: dict[str, Any], received_at: datetime, ours: str) -> Reply:
    """What a person chose in WhatsApp itself. Meta gives it no id, so one is made by which a repeated one is known."""
    at = written_at(wish.get("timestamp"), received_at)
    told = json.dumps([wish["wa_id"], wish["value"], wish.get("timestamp")]).encode()
    name = f"preference-{blake2b(told, digest_size=12).hexdigest()}"
    return Reply("whatsapp", phone(wish["wa_id"]), str(wish.get("detail") or ""), at, name, ours, WISHES[wish["value"]])
