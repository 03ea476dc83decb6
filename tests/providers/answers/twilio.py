"""Twilio: answers in the shape of its OpenAPI description, with codes of its dictionary; none was recorded there."""

from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from urllib.parse import parse_qs, parse_qsl, urlencode

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
from messaging.providers.twilio import Twilio
from tests.providers.exam import Door, Exam, Heard, Said

NOW = datetime(2026, 11, 25, 8, 0, tzinfo=UTC)
ACCOUNT, TOKEN, SHARED = f"AC{'0' * 31}1", "the-auth-token", "the-shared-key"
SID = f"SM{'a' * 32}"
DOOR = "https://clarion.example/hooks/twilio/s3cret"
OURS = f"{DOOR}?reference=41"


def make(url: str) -> Twilio:
    return Twilio(account_sid=ACCOUNT, auth_token=TOKEN, sender="+15005550006", webhook_secret=SHARED, url=url)


def envelope(reference: str) -> Envelope:
    return Envelope(reference, "sms", f"+25471234567{reference}", "Habari ya asubuhi", receipt_url=DOOR)


def taken(form: str) -> dict[str, object]:
    asked = parse_qs(form)
    body = asked.get("Body", [""])[0]
    return {"sid": SID, "status": "queued", "to": asked["To"][0], "body": body, "error_code": None}


def refused(outcome: type[Outcome], code: int, status: int = 400, **headers: str) -> Said:
    """A refusal as Twilio words it: with the number in it, which must not come out again."""

    def body(form: str) -> dict[str, object]:
        to = parse_qs(form)["To"][0]
        more = f"https://www.twilio.com/docs/errors/{code}"
        return {"code": code, "message": f"Refused: {to} ({TOKEN})", "more_info": more, "status": status}

    return Said(outcome, status, body, headers, error=f"code {code}")


def sign(hook: Hook) -> Hook:
    """As Twilio does with the auth token: SHA-1 over the URL and the sorted fields."""
    fields = sorted(set(parse_qsl(hook.body.decode(), keep_blank_values=True)))
    signed = hook.url + "".join(f"{name}{value}" for name, value in fields)
    given = signature(TOKEN, signed.encode(), algorithm="sha1", encoding="base64")
    return replace(hook, headers={**hook.headers, "x-twilio-signature": given})


def hook(url: str = OURS, **fields: str) -> Hook:
    headers = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}
    return sign(Hook("POST", url, headers, urlencode(fields).encode(), NOW))


def status(word: str, **fields: str) -> Hook:
    more = {"From": "+15005550006", "To": "+254712345671", "AccountSid": ACCOUNT, **fields}
    return hook(MessageSid=SID, SmsSid=SID, MessageStatus=word, SmsStatus=word, **more)


def receipt(word: str, **more: object) -> Receipt:
    return Receipt(word, NOW, reference="41", provider_message_id=SID, **more)  # type: ignore[arg-type]


def reply(**fields: str) -> Hook:
    words = {"From": "+254712345671", "To": "+15005550006", "Body": "Asante", "NumMedia": "0", "MessageSid": SID}
    return hook(DOOR, **{**words, **fields})


def as_json() -> Hook:
    """A request that is no form: its hash stands in the URL, and the URL alone is signed."""
    body = b'{"MessageStatus": "delivered"}'
    url = f"{OURS}&bodySHA256={sha256(body).hexdigest()}"
    given = signature(TOKEN, url.encode(), algorithm="sha1", encoding="base64")
    return Hook("POST", url, {"content-type": "application/json", "x-twilio-signature": given}, body, NOW)


DOORS = Door(
    receipts={
        "queued": Heard(status("queued"), [receipt("sent")]),
        "sent": Heard(status("sent"), [receipt("sent")]),
        "delivered": Heard(status("delivered"), [receipt("delivered")]),
        "read": Heard(status("read", ChannelPrefix="whatsapp"), [receipt("read")]),
        "undelivered": Heard(
            status("undelivered", ErrorCode="30005"), [receipt("failed", error="code 30005: nobody has this number")]
        ),
        "a code that no table has": Heard(status("failed", ErrorCode="39999"), [receipt("failed", error="code 39999")]),
        "failed without a code": Heard(status("failed"), [receipt("failed", error="failed, without a code")]),
        "opted out": Heard(
            status("undelivered", ErrorCode="21610"),
            [receipt("failed", error="code 21610: the person replied STOP", opted_out=True, to="+254712345671")],
        ),
        "opted out of WhatsApp": Heard(
            status("undelivered", ErrorCode="21610", To="whatsapp:+254712345671"),
            [
                receipt(
                    "failed",
                    error="code 21610: the person replied STOP",
                    opted_out=True,
                    to="+254712345671",
                    channel="whatsapp",
                )
            ],
        ),
        "without our reference": Heard(
            hook(DOOR, MessageSid=SID, MessageStatus="delivered"),
            [Receipt("delivered", NOW, provider_message_id=SID)],
        ),
    },
    replies={
        "SMS": Heard(reply(), [Reply("sms", "+254712345671", "Asante", NOW, SID, "+15005550006")]),
        "WhatsApp": Heard(
            reply(From="whatsapp:+254712345671", To="whatsapp:+15005550006", Body="Ndiyo ✅", WaId="254712345671"),
            [Reply("whatsapp", "+254712345671", "Ndiyo ✅", NOW, SID, "+15005550006")],
        ),
        "a wish that Twilio read": Heard(
            reply(Body="ACHA", OptOutType="STOP"),
            [Reply("sms", "+254712345671", "ACHA", NOW, SID, "+15005550006", "opt_out")],
        ),
        "a picture without a text": Heard(
            reply(Body="", NumMedia="1"), [Reply("sms", "+254712345671", "", NOW, SID, "+15005550006")]
        ),
        "of nobody": Heard(reply(From="22395"), []),
    },
    unknown=status("levitating"),
    malformed=[
        hook(DOOR, MessageStatus="sent"),
        hook(DOOR, Body="Habari"),
        hook(DOOR, From="+254712345671", Body="Habari"),
        hook(DOOR),
        as_json(),
    ],
    sign=sign,
    signs_url=True,
    parts=[Heard(status("sent"), [receipt("sent")]), Heard(status("delivered"), [receipt("delivered")])],
)

EXAM = Exam(
    make=make,
    envelope=envelope,
    accepted=Said(Accepted, 201, taken),
    accepted_id=SID,
    wrong={
        "bad number": refused(GiveUp, 21211),
        "landline": refused(GiveUp, 21614),
        "country": refused(GiveUp, 21408),
        "too long": refused(GiveUp, 21617),
        "opted out": refused(OptedOut, 21610),
        "queue full": refused(SlowDown, 21611),
        "bad sender": refused(StopAll, 21212),
        "no service": refused(StopAll, 21705),
        "suspended": refused(StopAll, 30002),
        "no account": refused(StopAll, 20404, 404),
        "forbidden": refused(StopAll, 90000, 403),
        "unavailable": refused(TryLater, 20503, 503),
        "bad gateway": Said(Unknown, 502, b"<html>", error="HTTP 502"),
        "not a page": Said(StopAll, 404, b"<html>", error="HTTP 404"),
    },
    throttled=refused(SlowDown, 20429, 429),
    throttled_for=refused(SlowDown, 20429, 429, **{"Retry-After": "7"}),
    server_error=Said(Unknown, 500, {"code": 20500, "message": "Internal", "status": 500}, error="code 20500"),
    garbage=Said(Unknown, 200, b"<html>Welcome to the hotel"),
    unknown_code=refused(GiveUp, 99999),
    wrong_credentials=refused(StopAll, 20003, 401),
    one_bad=None,
    secrets=[TOKEN, SHARED],
    another=Said(Unknown, 201, {"sid": SID, "to": "+254799999999"}, error="another message"),
    door=DOORS,
)

SERVICE, CONTENT = f"MG{'b' * 32}", f"HX{'c' * 32}"
EXAMS = {
    "whatsapp": replace(
        EXAM,
        make=lambda url: Twilio(
            account_sid=ACCOUNT, api_key="SK1", api_key_secret="the-key-secret", messaging_service_sid=SERVICE, url=url,
            auth_token=TOKEN,
        ),
        envelope=lambda reference: replace(
            envelope(reference), channel="whatsapp", template=Template(CONTENT, "sw", ("Ann", "kesho"))
        ),
        secrets=["the-key-secret", TOKEN],
        wrong={
            "window": refused(GiveUp, 63016),
            "template": refused(StopAll, 63027),
            "daily limit": refused(SlowDown, 63038),
            "channel": refused(StopAll, 63007),
        },
    ),
}  # fmt: skip
