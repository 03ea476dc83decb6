"""Telnyx's answers and webhooks, as developers.telnyx.com gives them (read on 2026-11-25)."""

import json
from base64 import b64encode
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from messaging.providers.base import (
    Accepted,
    Envelope,
    GiveUp,
    Hook,
    OptedOut,
    Receipt,
    Reply,
    SlowDown,
    StopAll,
    TryLater,
    Unknown,
)
from messaging.providers.telnyx import Telnyx
from tests.providers.exam import Door, Exam, Heard, Said

NOW = datetime(2026, 11, 25, 8, 0, tzinfo=UTC)
AT = datetime(2026, 11, 25, 7, 59, 58, 148000, tzinfo=UTC)
DOOR = "https://clarion.example/hooks/telnyx/x"
ID = "40385f64-5717-4562-b3fc-2c963f66afa6"
PRIVATE_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC_KEY = b64encode(PRIVATE_KEY.public_key().public_bytes_raw()).decode()


def sign(hook: Hook, at: int = int(NOW.timestamp())) -> Hook:
    signed = b64encode(PRIVATE_KEY.sign(f"{at}|".encode() + hook.body)).decode()
    return replace(hook, headers={"telnyx-signature-ed25519": signed, "telnyx-timestamp": str(at)})


def hook(body: Any, url: str = DOOR) -> Hook:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return sign(Hook("POST", url, {}, raw, NOW))


def event(kind: str, payload: Any) -> Hook:
    told = {"record_type": "event", "id": "e-1", "event_type": kind, "occurred_at": "2026-11-25T07:59:58.148+00:00"}
    return hook({"data": {**told, "payload": payload}, "meta": {"attempt": 1, "delivered_to": DOOR}})


def receipt(kind: str, status: str, errors: Any = (), **changes: Any) -> Hook:
    payload = {
        "record_type": "message",
        "direction": "outbound",
        "id": ID,
        "type": "SMS",
        "from": {"phone_number": "+15005550006"},
        "to": [{"phone_number": "+254712345671", "status": status, "carrier": "", "line_type": "Wireless"}],
        "text": "Habari",
        "webhook_url": f"{DOOR}?reference=41",
        "errors": list(errors),
    }
    return event(kind, {**payload, **changes})


def reply(text: str | None = "Asante", sender: Any = "+254712345671", **changes: Any) -> Hook:
    payload = {
        "record_type": "message",
        "direction": "inbound",
        "id": "7ee4241c-f127-47e5-9c34-3aac291f8058",
        "type": "SMS",
        "from": {"phone_number": sender, "carrier": "", "line_type": "Wireless"},
        "to": [{"phone_number": "+15005550006", "status": "webhook_delivered"}],
        "text": text,
        "errors": [],
    }
    return event("message.received", {**payload, **changes})


def says(text: str = "Asante", **changes: Any) -> Reply:
    heard = Reply("sms", "+254712345671", text, AT, "7ee4241c-f127-47e5-9c34-3aac291f8058", "+15005550006")
    return replace(heard, **changes)


def refused(code: str, title: str = "") -> dict[str, Any]:
    return {"errors": [{"code": code, "title": title, "detail": "from '+15005550006' to '+254712345671'"}]}


STOPPED = refused("40300", "Blocked due to STOP message")


def taken(webhook_url: str = "") -> dict[str, Any]:
    sent = {"id": ID, "record_type": "message", "to": [{"phone_number": "+254712345671", "status": "queued"}]}
    return {"data": {**sent, "webhook_url": webhook_url} if webhook_url else sent}


EXAM = Exam(
    make=lambda url: Telnyx(api_key="KEY0123", public_key=PUBLIC_KEY, sender="+15005550006", url=url),
    envelope=lambda reference: Envelope(reference, "sms", f"+25471234567{reference}", "Habari", receipt_url=DOOR),
    accepted=Said(Accepted, 200, lambda sent: taken(json.loads(sent)["webhook_url"])),
    accepted_id=ID,
    wrong={
        "the number is not valid": Said(GiveUp, 422, refused("10002"), error="10002"),
        "not in E.164": Said(GiveUp, 422, refused("10016"), error="10016"),
        "the number is refused": Said(GiveUp, 400, refused("40310"), error="40310"),
        "the country is not allowed": Said(GiveUp, 400, refused("40309"), error="40309"),
        "the text is blocked": Said(GiveUp, 400, refused("40322"), error="40322"),
        "stopped": Said(OptedOut, 400, STOPPED, error="40300"),
        "stopped, as 403": Said(OptedOut, 403, STOPPED, error="40300"),
        "blocked, not by the person": Said(GiveUp, 403, refused("40300", "Blocked"), error="40300: blocked"),
        "the queue is full": Said(SlowDown, 400, refused("40318"), error="40318"),
        "the sender is not ours": Said(StopAll, 400, refused("40305"), error="40305"),
        "the profile is disabled": Said(StopAll, 400, refused("40312"), error="40312"),
        "the sender is not ready": Said(TryLater, 400, refused("40320"), error="40320"),
        "no credit": Said(StopAll, 402, refused("20100"), error="20100"),
        "the day's spend limit, as 429": Said(StopAll, 429, refused("40333"), error="40333"),
        "throttled, with a code that is not known": Said(SlowDown, 429, refused("49999"), error="49999"),
        "forbidden, with a code that is not known": Said(GiveUp, 403, refused("49999"), error="49999"),
        "the key may not send": Said(StopAll, 403, refused("10010"), error="10010"),
        "forbidden, without a code": Said(StopAll, 403, error="403"),
        "a request timeout": Said(Unknown, 408, refused("10008"), error="408"),
        "an unexpected error": Said(Unknown, 400, refused("10007"), error="10007"),
        "down": Said(TryLater, 503),
    },
    throttled=Said(SlowDown, 429, refused("10011", "Too many requests")),
    throttled_for=Said(SlowDown, 429, refused("10011"), headers={"x-ratelimit-reset": "7"}),
    server_error=Said(Unknown, 500, refused("10007", "Unexpected error")),
    garbage=Said(Unknown, 200, b"<html>"),
    unknown_code=Said(GiveUp, 400, refused("49999"), error="49999"),
    wrong_credentials=Said(StopAll, 401, refused("10009", "Authentication failed"), error="10009"),
    one_bad=None,
    secrets=["KEY0123"],
    another=Said(Unknown, 200, taken(f"{DOOR}?reference=another")),
    door=Door(
        receipts={
            "sent": Heard(receipt("message.sent", "sent"), [Receipt("sent", AT, "41", ID)]),
            "sent, still queued": Heard(receipt("message.sent", "queued"), [Receipt("sent", AT, "41", ID)]),
            "delivered": Heard(receipt("message.finalized", "delivered"), [Receipt("delivered", AT, "41", ID)]),
            "unconfirmed": Heard(receipt("message.finalized", "delivery_unconfirmed"), [Receipt("sent", AT, "41", ID)]),
            "failed": Heard(
                receipt("message.finalized", "delivery_failed", [{"code": "40008", "title": "Undeliverable"}]),
                [Receipt("failed", AT, "41", ID, "code 40008: undeliverable")],
            ),
            "stopped": Heard(
                receipt("message.finalized", "sending_failed", STOPPED["errors"]),
                [
                    Receipt(
                        "failed", AT, "41", ID, "code 40300: the person said STOP", opted_out=True, to="+254712345671"
                    )
                ],
            ),
            "expired": Heard(receipt("message.finalized", "expired"), [Receipt("failed", AT, "41", ID)]),
            "of a message that named no door": Heard(
                receipt("message.finalized", "delivered", webhook_url=None),
                [Receipt("delivered", AT, provider_message_id=ID)],
            ),
        },
        replies={
            "a word": Heard(reply(), [says()]),
            "STOP": Heard(reply("STOP", autoresponse_type="STOP"), [says("STOP", wish="opt_out")]),
            "START": Heard(reply("START", autoresponse_type="START"), [says("START", wish="opt_in")]),
            "a picture": Heard(reply(None, type="MMS"), [says("")]),
        },
        unknown=receipt("message.finalized", "flying"),
        malformed=[
            hook(b"{"),
            hook(b"[]"),
            hook({"data": {"event_type": "message.sent"}}),
            receipt("message.sent", "sent", id=None, webhook_url=None),
            reply(sender=None),
        ],
        sign=sign,
        others={
            "a short code": Heard(reply(sender="40404"), []),
            "WhatsApp": Heard(reply(type="WhatsApp"), []),
            "another event": Heard(event("call.initiated", {"id": "c-1"}), []),
        },
    ),
)
