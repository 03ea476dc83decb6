"""Kannel, whose answers are sentences: as smsbox 1.4.5 says them."""

from datetime import UTC, datetime

from messaging.providers.base import (
    Accepted,
    Envelope,
    GiveUp,
    Hook,
    Receipt,
    Reply,
    SlowDown,
    StopAll,
    TryLater,
    Unknown,
)
from messaging.providers.kannel import Kannel
from tests.providers.exam import Door, Exam, Heard, Said

NOW = datetime(2026, 11, 25, 8, 0, tzinfo=UTC)
AT = datetime(2026, 11, 25, 1, 54, 31, tzinfo=UTC)
DOOR = "https://clarion.example/hooks/carrier/s3cret"
PASSWORD = "only-smsbox-knows"
TEMPORAL = "Temporal failure, try again later."
DENIED = "Number(s) has/have been denied by white- and/or black-lists."
UNDELIVERED = (
    "id:a7 sub:001 dlvrd:000 submit date:2611250154 done date:2611250154 stat:UNDELIV err:012 text:Habari 0712345678"
)


def make(url: str) -> Kannel:
    return Kannel(url=f"{url}/cgi-bin/sendsms", username="clarion", password=PASSWORD, sender="ACME", smsc="SAFARICOM")


def envelope(reference: str) -> Envelope:
    return Envelope(reference, "sms", f"+25471234567{reference}", "Habari ya asubuhi", receipt_url=DOOR)


def hook(query: str) -> Hook:
    return Hook("GET", f"{DOOR}?{query}", {"host": "clarion.example"}, b"", NOW)


def report(kind: object, said: str = "", more: str = "&at=1795571671") -> Hook:
    return hook(f"ref=41&type={kind}&id=f1{more}&said={said}")


def receipt(status: str, error: str = "") -> Receipt:
    return Receipt(status, AT, "41", "f1", error)  # type: ignore[arg-type]


EXAM = Exam(
    make=make,
    envelope=envelope,
    accepted=Said(Accepted, 202, "0: Accepted for delivery"),
    accepted_id="",
    wrong={
        "number denied": Said(GiveUp, 400, DENIED, error="Number(s) has/have been denied"),
        "not routable": Said(GiveUp, 403, "Not routable. Do not try again.", error="Not routable"),
        "no number": Said(GiveUp, 400, "Missing receiver number, rejected", error="Missing receiver number"),
        "other field": Said(GiveUp, 400, "Validity field misformed, rejected", error="HTTP 400"),
        "no sender": Said(StopAll, 400, "Sender missing and no global set, rejected", error="Sender missing"),
        "no smsbox": Said(StopAll, 404, "Unknown request.", error="HTTP 404"),
        "no posts": Said(StopAll, 400, "Invalid content-type", error="Invalid content-type"),
        "other 403": Said(StopAll, 403, b"<html>", error="HTTP 403"),
        "proxy without a gateway": Said(TryLater, 503, b"<html>no upstream</html>", error="HTTP 503"),
        "queued": Said(Accepted, 202, "3: Queued for later delivery"),
        "at once": Said(Accepted, 202, "Sent. Message splits: 3"),
        "accepted, says another status": Said(Unknown, 200, "0: Accepted for delivery", error="HTTP 200"),
    },
    throttled=Said(SlowDown, 503, TEMPORAL, error="HTTP 503: Temporal failure"),
    throttled_for=Said(SlowDown, 429, headers={"Retry-After": "7"}),
    server_error=Said(Unknown, 500, "Sending failed.", error="HTTP 500"),
    garbage=Said(Unknown, 202, b"\xff{"),
    unknown_code=Said(Unknown, 202, "7: Something new", error="HTTP 202, 7"),
    wrong_credentials=Said(StopAll, 403, "Authorization failed for sendsms", error="Authorization failed"),
    one_bad=None,
    secrets=[PASSWORD],
    door=Door(
        receipts={
            "accepted by the carrier": Heard(report(8, "ACK%2F"), [receipt("sent")]),
            "buffered": Heard(report(4), [receipt("sent")]),
            "delivered": Heard(report(1), [receipt("delivered")]),
            "expired": Heard(report(34), [receipt("failed", "expired")]),
            "expired, the carrier says so": Heard(
                report(34, "id:a+sub:001+stat:EXPIRED+err:000"), [receipt("failed", "EXPIRED, error 000")]
            ),
            "undelivered, with the text": Heard(
                report(2, UNDELIVERED.replace(" ", "+")), [receipt("failed", "UNDELIV, error 012")]
            ),
            "rejected": Heard(
                report(16, "NACK%2F0x0000000b%2FInvalid+Destination+Address"),
                [receipt("failed", "0x0000000b Invalid Destination Address")],
            ),
            "rejected by a carrier that repeats the phone": Heard(
                report(16, "NACK%2FNo+such+number+%2B254712345678"), [receipt("failed", "refused by the carrier")]
            ),
            "failed": Heard(report(2), [receipt("failed", "not delivered")]),
            "without a time": Heard(report(1, more=""), [Receipt("delivered", NOW, "41", "f1")]),
        },
        replies={
            "stop": Heard(
                hook("from=254700000001&to=12345&text=STOP+please+%C3%A9&smsc=FAKE&id=0f022ab7&at=1795571671"),
                [Reply("sms", "+254700000001", "STOP please é", AT, provider_message_id="0f022ab7", to="12345")],
            ),
            "with a plus": Heard(
                hook("from=%2B254700000001&text=%E2%98%BA"), [Reply("sms", "+254700000001", "☺", NOW)]
            ),
            "of a name": Heard(hook("from=MPESA&text=Confirmed&at=1795571671"), []),
            "of nothing": Heard(hook("from=254700000001&text="), [Reply("sms", "+254700000001", "", NOW)]),
        },
        unknown=report(64),
        malformed=[
            hook(""),
            hook("type=1"),
            hook("ref=&type=1"),
            hook("ref=41"),
            hook("ref=41&type=delivered"),
            hook("ref=41&type=-1"),
            hook("ref=41&type=%C2%B2"),
            hook("ref=41&type=1&at=yesterday"),
            hook("from=254700000001"),
        ],
        sign=None,
        parts=[Heard(report(8), [receipt("sent")]), *[Heard(report(1), [receipt("delivered")])] * 3],
    ),
)
