"""A vendor that settings describe: it takes a form, answers 200 to everything and says by a code what it means.

And the vendor of the defaults, which takes JSON and says it by the HTTP status.
"""

import json
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlencode

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
    TryLater,
    Unknown,
)
from messaging.providers.http import Http
from messaging.providers.reading import signature
from tests.providers.exam import Door, Exam, Heard, Said

NOW = datetime(2026, 11, 25, 8, 0, tzinfo=UTC)
DOOR = "https://clarion.example/hooks/sema/s3cret"
KEY, SHARED = "key-of-sema", "shared-with-sema"


def make(url: str) -> Http:
    return Http(
        url=f"{url}/send",
        headers={"Api-Key": KEY},
        body="form",
        fields={"digits": "msisdn", "text": "message", "sender": "from", "reference": "ref", "receipt_url": "dlr"},
        extras={"type": "bulk"},
        sender="SEMA",
        code="result.code",
        codes={
            "0": "accepted", "7": "try_later", "9": "slow_down", "11": "give_up", "13": "opted_out", "401": "stop_all",
        },
        id_path="result.messages.0.id",
        reference_path="result.ref",
        receipts={
            "list": "reports", "status": "state", "id": "msg_id", "at": "time", "error": "why", "to": "msisdn",
            "statuses": {
                "ACCEPTD": "sent", "DELIVRD": "delivered", "UNDELIV": "failed", "STOPPED": "opted_out",
            },
        },
        replies={"phone": "msisdn", "text": "message", "to": "shortcode", "id": "msg_id", "at": "time"},
        signature={"header": "X-Sema-Signature", "secret": SHARED, "prefix": "sha256="},
    )  # fmt: skip


def envelope(reference: str) -> Envelope:
    return Envelope(reference, "sms", f"+25471234567{reference}", "Habari ya asubuhi", receipt_url=DOOR)


def says(outcome: type[Outcome], code: object, error: str = "", **more: object) -> Said:
    def body(form: str) -> object:
        return {"result": {"code": code, "ref": parse_qs(form)["ref"][0], **more}}

    return Said(outcome, 200, body, error=error)


def sign(hook: Hook) -> Hook:
    return replace(hook, headers={**hook.headers, "x-sema-signature": f"sha256={signature(SHARED, hook.body)}"})


def hook(body: bytes) -> Hook:
    return sign(Hook("POST", DOOR, {"content-type": "application/json"}, body, NOW))


def report(**words: object) -> Hook:
    return hook(json.dumps({"reports": [{"msg_id": "se-1", "time": 1764057600, **words}]}).encode())


AT = datetime(2025, 11, 25, 8, 0, tzinfo=UTC)
EXAM = Exam(
    make=make,
    envelope=envelope,
    accepted=says(Accepted, 0, messages=[{"id": "se-1"}]),
    accepted_id="se-1",
    wrong={
        "congested": says(TryLater, 7, "code 7"),
        "bad number": says(GiveUp, 11, "code 11"),
        "opted out": says(OptedOut, 13, "code 13"),
        "not found": Said(GiveUp, 404, b"<html>no such page</html>", error="HTTP 404"),
    },
    throttled=says(SlowDown, 9, "code 9"),
    throttled_for=Said(SlowDown, 429, headers={"Retry-After": "7"}),
    server_error=Said(Unknown, 500, error="HTTP 500"),
    garbage=Said(Unknown, 200, b"\xff{"),
    unknown_code=says(Unknown, "E-77", "E-77"),
    wrong_credentials=says(StopAll, 401, "code 401", detail=KEY),
    one_bad=None,
    secrets=[KEY, SHARED],
    another=Said(Unknown, 200, {"result": {"code": 0, "ref": "999"}}, error="another message"),
    door=Door(
        receipts={
            "sent": Heard(report(state="ACCEPTD"), [Receipt("sent", AT, provider_message_id="se-1")]),
            "delivered": Heard(report(state="DELIVRD"), [Receipt("delivered", AT, provider_message_id="se-1")]),
            "by our reference": Heard(
                report(state="DELIVRD", reference="41"),
                [Receipt("delivered", AT, reference="41", provider_message_id="se-1")],
            ),
            "failed": Heard(
                report(state="UNDELIV", why="34"),
                [Receipt("failed", AT, provider_message_id="se-1", error="UNDELIV, code 34")],
            ),
            "opted out": Heard(
                report(state="STOPPED"),
                [Receipt("failed", AT, provider_message_id="se-1", error="STOPPED", opted_out=True)],
            ),
            "opted out, and who": Heard(
                report(state="STOPPED", msisdn="254712345671"),
                [
                    Receipt(
                        "failed", AT, provider_message_id="se-1", error="STOPPED", opted_out=True, to="+254712345671"
                    )
                ],
            ),
            "delivered, and to whom": Heard(
                report(state="DELIVRD", msisdn="254712345671"), [Receipt("delivered", AT, provider_message_id="se-1")]
            ),
            "several, one of them unknown": Heard(
                hook(b'{"reports": [{"msg_id": "a", "state": "DELIVRD"}, {"msg_id": "b", "state": "MOON"}]}'),
                [Receipt("delivered", NOW, provider_message_id="a")],
            ),
        },
        replies={
            "as a form": Heard(
                hook(urlencode({"msisdn": "254712345678", "message": "STOP ✋", "shortcode": "20414"}).encode()),
                [Reply("sms", "+254712345678", "STOP ✋", NOW, to="20414")],
            ),
            "as JSON": Heard(
                hook(
                    b'{"msisdn": "+254712345678", "message": "Asante", "msg_id": "in-1", "time": "2025-11-25T08:00Z"}'
                ),
                [Reply("sms", "+254712345678", "Asante", AT, provider_message_id="in-1")],
            ),
            "of nobody": Heard(hook(b'{"msisdn": "MPESA", "message": "Confirmed"}'), []),
        },
        unknown=report(state="ON-THE-MOON"),
        malformed=[
            hook(b"{"),
            hook(b"\xff\xfe"),
            hook(b'{"reports": []}'),
            hook(b'{"reports": 3}'),
            hook(b'{"reports": [{"state": "DELIVRD"}]}'),
            hook(b'{"reports": [{"msg_id": "a", "state": "DELIVRD", "time": "yesterday"}]}'),
            hook(b"[" * 100_000),
        ],
        sign=sign,
        parts=[Heard(report(state="DELIVRD"), [Receipt("delivered", AT, provider_message_id="se-1")])] * 3,
    ),
)

PLAIN_DOOR = f"{DOOR}?reference=41"
PLAIN = Exam(
    make=lambda url: Http(
        url=url, headers={"Authorization": KEY}, receipts={"statuses": {"ok": "delivered", "no": "failed"}}
    ),
    envelope=envelope,
    accepted=Said(Accepted, 202, lambda body: {"id": 17, "reference": json.loads(body)["reference"]}),
    accepted_id="17",
    wrong={
        "bad request": Said(GiveUp, 400, error="HTTP 400"),
        "busy": Said(TryLater, 503, error="HTTP 503"),
        "no credit": Said(StopAll, 402, error="HTTP 402"),
        "redirect": Said(Unknown, 301, error="HTTP 301"),
    },
    throttled=Said(SlowDown, 429),
    throttled_for=Said(SlowDown, 429, headers={"Retry-After": "7"}),
    server_error=Said(Unknown, 502, error="HTTP 502"),
    # A 2xx that cannot be read has accepted the message all the same.
    garbage=Said(Accepted, 200, b"\xff{"),
    unknown_code=Said(GiveUp, 418, error="HTTP 418"),
    wrong_credentials=Said(StopAll, 401),
    one_bad=None,
    secrets=[KEY],
    another=Said(Unknown, 200, {"id": 17, "reference": "999"}),
    door=Door(
        receipts={
            "in the query of the URL": Heard(
                Hook("GET", f"{PLAIN_DOOR}&status=ok", {}, b"", NOW), [Receipt("delivered", NOW, reference="41")]
            ),
            "a form, its reference in the URL": Heard(
                Hook("POST", PLAIN_DOOR, {}, b"status=no", NOW), [Receipt("failed", NOW, reference="41", error="no")]
            ),
        },
        replies={},
        unknown=Hook("POST", PLAIN_DOOR, {}, b"status=perhaps", NOW),
        malformed=[Hook("POST", PLAIN_DOOR, {}, b"nothing", NOW), Hook("POST", DOOR, {}, b"status=ok", NOW)],
        sign=None,
    ),
)


def by_query(url: str) -> Http:
    return Http(
        url=f"{url}/send?tenant=7", method="GET", body="query", headers={"Authorization": KEY},
        fields={"to": "to", "text": "text", "channel": "via"}, statuses={"403": "opted_out", "5xx": "try_later"},
        receipts={"statuses": {"ok": "delivered", "no": "failed"}},
    )  # fmt: skip


# Who sends by GET meets a client that would repeat one by itself.
BY_QUERY = replace(
    PLAIN,
    make=by_query,
    accepted=Said(Accepted, 200, {"id": "q-1"}),
    accepted_id="q-1",
    wrong={"opted out": Said(OptedOut, 403, error="HTTP 403"), "bad number": Said(GiveUp, 404, error="HTTP 404")},
    server_error=Said(TryLater, 500, error="HTTP 500"),
    another=None,
)
EXAMS = {"defaults": PLAIN, "by_query": BY_QUERY}
