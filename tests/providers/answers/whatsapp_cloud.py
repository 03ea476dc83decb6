"""Meta's Cloud API: answers and webhooks in the shapes of its documentation; nothing was recorded at Meta."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from messaging.providers.base import (
    Accepted,
    Envelope,
    GiveUp,
    Hook,
    OptedOut,
    Outcome,
    Receipt,
    Reply,
    SlowDown,
    StopAll,
    Template,
    TryLater,
    Unknown,
)
from messaging.providers.reading import signature
from messaging.providers.whatsapp_cloud import WhatsAppCloud
from tests.providers.exam import Door, Exam, Heard, Said

NOW = datetime(2026, 11, 25, 8, 0, tzinfo=UTC)
AT = datetime(2026, 11, 25, 7, 59, 58, tzinfo=UTC)
TOKEN, SECRET, VERIFY = "EAAG-the-access-token", "the-app-secret", "the-verify-token"
DOOR = "https://clarion.example/hooks/meta/s3cret"
# Its ids are the phone in base64 and more.
WAMID = "wamid.HBgMMjU0NzEyMzQ1Njc4FQIAERgSQTZBRjg5N0E="


def make(url: str) -> WhatsAppCloud:
    return WhatsAppCloud(
        phone_number_id="106540352242922", access_token=TOKEN, app_secret=SECRET, verify_token=VERIFY, url=url
    )


def envelope(reference: str) -> Envelope:
    template = Template("november_offer", "sw", ("Ann", "kesho"))
    return Envelope(reference, "whatsapp", f"+25471234567{reference}", "Habari Ann, kesho", template=template)


def taken(status: str = "accepted") -> Callable[[str], Any]:
    def body(asked: str) -> dict[str, Any]:
        to = json.loads(asked)["to"]
        return {
            "messaging_product": "whatsapp",
            "contacts": [{"input": to, "wa_id": to.lstrip("+")}],
            "messages": [{"id": WAMID, "message_status": status}],
        }

    return body


def refused(
    outcome: type[Outcome], code: int, status: int = 400, subcode: int | None = None, retry_after: str = ""
) -> Said:
    """A refusal as the Graph API words it, with the phone and the token in it, which must not come out again."""

    def body(asked: str) -> dict[str, Any]:
        details = f"Failed for {json.loads(asked)['to']} with {TOKEN}"
        error = {"message": f"(#{code}) {details}", "type": "OAuthException", "code": code}
        return {"error": {**error, "error_subcode": subcode, "error_data": {"details": details}, "fbtrace_id": "A1"}}

    return Said(outcome, status, body, {"Retry-After": retry_after} if retry_after else {}, error=f"code {code}")


def sign(hook: Hook) -> Hook:
    return replace(hook, headers={**hook.headers, "x-hub-signature-256": f"sha256={signature(SECRET, hook.body)}"})


def hook(told: Any) -> Hook:
    body = told if isinstance(told, bytes) else json.dumps(told).encode()
    return sign(Hook("POST", DOOR, {"content-type": "application/json"}, body, NOW))


def values(*told: dict[str, Any], name: str = "messages") -> Hook:
    """One request with these changes, each of an entry of its own."""
    metadata = {"display_phone_number": "254700000001", "phone_number_id": "106540352242922"}
    common = {"messaging_product": "whatsapp", "metadata": metadata}
    entries = [{"id": "1", "changes": [{"field": name, "value": {**common, **value}}]} for value in told]
    return hook({"object": "whatsapp_business_account", "entry": entries})


def status(word: str, **more: Any) -> dict[str, Any]:
    return {
        "id": WAMID, "status": word, "timestamp": "1795593598", "recipient_id": "254712345678",
        "biz_opaque_callback_data": "41", **more,
    }  # fmt: skip


def failed(code: int) -> dict[str, Any]:
    error = {"code": code, "title": "Failed", "message": "To +254712345678", "error_data": {"details": "254712345678"}}
    return status("failed", errors=[error])


def receipt(word: str, **more: Any) -> Receipt:
    return Receipt(word, AT, reference="41", provider_message_id=WAMID, channel="whatsapp", **more)  # type: ignore[arg-type]


def message(**more: Any) -> dict[str, Any]:
    return {"from": "254712345678", "id": "wamid.in", "timestamp": "1795593598", "type": "text", **more}


def reply(text: str, **more: Any) -> Reply:
    return Reply("whatsapp", "+254712345678", text, AT, "wamid.in", "254700000001", **more)


def preference(value: str, **more: Any) -> Hook:
    told = {"wa_id": "254712345678", "detail": "User asked", "category": "marketing_messages", "timestamp": 1795593598}
    return values({"user_preferences": [{**told, "value": value, **more}]}, name="user_preferences")


def said(hook: Hook) -> str:
    """The id that the adapter makes for a wish; that it is stable is asked by the exam."""
    (wish,) = make("http://127.0.0.1:9").read(hook)
    return wish.provider_message_id


def wished(text: str, wish: Any, hook: Hook) -> Heard:
    return Heard(hook, [replace(reply(text, wish=wish), provider_message_id=said(hook))])


CHALLENGE = f"{DOOR}?hub.mode=subscribe&hub.verify_token={VERIFY}&hub.challenge=1158201444"
DOORS = Door(
    receipts={
        **{
            word: Heard(values({"statuses": [status(word)]}), [receipt(word)]) for word in ("sent", "delivered", "read")
        },
        "played": Heard(values({"statuses": [status("played")]}), [receipt("read")]),
        "failed": Heard(
            values({"statuses": [failed(131026)]}),
            [receipt("failed", error="code 131026: the number is not on WhatsApp or cannot get the message")],
        ),
        "a code that no table has": Heard(
            values({"statuses": [failed(139999)]}), [receipt("failed", error="code 139999")]
        ),
        "failed without a code": Heard(
            values({"statuses": [status("failed")]}), [receipt("failed", error="failed, without a code")]
        ),
        "opted out": Heard(
            values({"statuses": [failed(131050)]}),
            [
                receipt(
                    "failed",
                    error="code 131050: the person stopped marketing of this business",
                    opted_out=True,
                    to="+254712345678",
                )
            ],
        ),
        "several in one request": Heard(
            values({"statuses": [status("read"), status("?"), status("delivered")]}, {"statuses": [status("sent")]}),
            [receipt("read"), receipt("delivered"), receipt("sent")],
        ),
        "without our reference": Heard(
            values({"statuses": [status("sent", biz_opaque_callback_data=None)]}),
            [Receipt("sent", AT, provider_message_id=WAMID, channel="whatsapp")],
        ),
        "without a time": Heard(
            values({"statuses": [status("sent", timestamp=None, id="wamid.x", biz_opaque_callback_data="43")]}),
            [Receipt("sent", NOW, reference="43", provider_message_id="wamid.x", channel="whatsapp")],
        ),
    },
    replies={
        "text": Heard(values({"messages": [message(text={"body": "ACHA ✋"})]}), [reply("ACHA ✋")]),
        "button": Heard(
            values({"messages": [message(type="button", button={"text": "Stop", "payload": "x"})]}), [reply("Stop")]
        ),
        "choice": Heard(
            values({"messages": [message(type="interactive", interactive={"list_reply": {"title": "Yes"}})]}),
            [reply("Yes")],
        ),
        "picture": Heard(
            values({"messages": [message(type="image", image={"id": "1", "caption": "Hii"})]}), [reply("Hii")]
        ),
        "voice": Heard(values({"messages": [message(type="audio", audio={"id": "1"})]}), [reply("")]),
        "a reaction is none": Heard(values({"messages": [message(type="reaction", reaction={"emoji": "👍"})]}), []),
        "of a user without a number": Heard(values({"messages": [message(**{"from": "KE.13491208655302741918"})]}), []),
        "stopped": wished("User asked", "opt_out", preference("stop")),
        "resumed": wished("User asked", "opt_in", preference("resume")),
        "another preference": Heard(preference("stop", category="colours"), []),
        "with a receipt": Heard(
            values({"messages": [message(text={"body": "Ndiyo"})], "statuses": [status("read")]}),
            [receipt("read"), reply("Ndiyo")],
        ),
    },
    unknown=values({"statuses": [status("levitated")]}),
    malformed=[
        hook(b"{"),
        hook([]),
        hook({"object": "page", "entry": []}),
        hook({"object": "whatsapp_business_account"}),
        hook({"object": "whatsapp_business_account", "entry": [3]}),
        values({"statuses": 3}),
        values({"statuses": [{}]}),
        values({"statuses": [{"status": "sent"}]}),
        values({"statuses": [status("sent", timestamp="yesterday")]}),
        values({"messages": [{"from": "254712345678"}]}),
    ],
    sign=sign,
    parts=[],
    others={
        "the challenge": Heard(Hook("GET", CHALLENGE, {}, b"", NOW), []),
        "a template was approved": Heard(values({"event": "APPROVED"}, name="message_template_status_update"), []),
    },
)

EXAM = Exam(
    make=make,
    envelope=envelope,
    accepted=Said(Accepted, 200, taken()),
    accepted_id=WAMID,
    wrong={
        "not on WhatsApp": refused(GiveUp, 131026),
        "parameter": refused(GiveUp, 100),
        "window": refused(GiveUp, 131047),
        "person's limit": refused(GiveUp, 131049),
        "opted out": refused(OptedOut, 131050),
        "pair rate": refused(SlowDown, 131056),
        "throughput": refused(SlowDown, 130429, 429),
        "spam rate": refused(SlowDown, 131048),
        "away": refused(TryLater, 131016, 500),
        "overloaded": refused(TryLater, 2, 503),
        "failed": refused(TryLater, 131000),
        "failed, perhaps after it was taken": refused(Unknown, 131000, 500),
        "template": refused(StopAll, 132001, 404),
        "template paused": refused(StopAll, 132015),
        "permission": refused(StopAll, 200, 403),
        "locked": refused(StopAll, 131031),
        "no such sender": refused(StopAll, 100, 400, 33),
        "unavailable": Said(TryLater, 503, b"<html>", error="HTTP 503"),
        "forbidden": refused(StopAll, 99_999, 403),
        "held": Said(Accepted, 200, taken("held_for_quality_assessment")),
        "template paused at last": Said(Unknown, 200, taken("paused"), error="paused"),
    },
    throttled=refused(SlowDown, 80007, 429),
    throttled_for=refused(SlowDown, 4, 429, retry_after="7"),
    server_error=Said(Unknown, 500, {"error": {"message": "?", "code": 1}}, error="code 1"),
    garbage=Said(Unknown, 200, b"<html>Welcome to the hotel"),
    unknown_code=refused(GiveUp, 139_999),
    wrong_credentials=refused(StopAll, 190, 401),
    one_bad=None,
    secrets=[TOKEN, SECRET, VERIFY],
    another=Said(
        Unknown, 200, {"contacts": [{"input": "+254799999999"}], "messages": [{"id": WAMID}]}, error="another message"
    ),
    door=DOORS,
)
