"""Infobip: each answer speaks of the ids of the request, in the words of the vendor's description of its API."""

import json
from collections.abc import Callable
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
    TryLater,
    Unknown,
)
from messaging.providers.infobip import Infobip
from tests.providers.exam import Door, Exam, Heard, Said

NOW = datetime(2026, 11, 25, 8, 0, 30, tzinfo=UTC)
SENT_AT, DONE_AT = datetime(2026, 11, 25, 8, 0, tzinfo=UTC), datetime(2026, 11, 25, 8, 0, 12, 500_000, tzinfo=UTC)
DOOR = "https://clarion.example/hooks/infobip/s3cret"
KEY = "0123abcd-ef"


def make(url: str) -> Infobip:
    return Infobip(url=url, api_key=KEY, sender="DUKA")


def envelope(reference: str) -> Envelope:
    return Envelope(reference, "sms", f"+25471234567{reference}", f"Habari, {reference}!", receipt_url=DOOR)


def status(group: int, number: int, name: str) -> dict[str, object]:
    words = ("OK", "PENDING", "UNDELIVERABLE", "DELIVERED", "EXPIRED", "REJECTED")
    return {
        "groupId": group, "groupName": words[group] if group < len(words) else "MOON", "id": number, "name": name,
        "description": "Of +254712345671",
    }  # fmt: skip


TAKEN = status(1, 26, "PENDING_ACCEPTED")
BAD_NUMBER = status(5, 52, "REJECTED_INVALID_DESTINATION")


def each(said: object, *, second: object = None) -> Callable[[str], object]:
    """The answer to a request: the same status for all of its messages, but for the second."""

    def body(request: str) -> object:
        listed = [
            {"messageId": to["messageId"], "status": said, "destination": to["to"], "details": {"messageCount": 1}}
            for message in json.loads(request)["messages"]
            for to in message["destinations"]
        ]
        if second:
            listed[1]["status"] = second
        return {"bulkId": "2034072219640523072", "messages": listed}

    return body


def says(outcome: type[Outcome], group: int, number: int, name: str) -> Said:
    return Said(outcome, 200, each(status(group, number, name)), error="" if outcome is Accepted else name)


def failure(outcome: type[Outcome], http: int, code: str) -> Said:
    body = {"errorCode": code, "description": "Of +254712345671", "action": "", "violations": [], "resources": []}
    return Said(outcome, http, body, error=f"HTTP {http}, code {code}")


def hook(*results: object, **more: object) -> Hook:
    return Hook(
        "POST", DOOR, {"content-type": "application/json"}, json.dumps({"results": results, **more}).encode(), NOW
    )


def report(reported: object, **more: Any) -> dict[str, object]:
    return {
        "bulkId": "2034072219640523072", "messageId": "41", "to": "254712345671", "callbackData": "41",
        "sentAt": "2026-11-25T08:00:00.000+0000", "doneAt": "2026-11-25T11:00:12.500+0300", "messageCount": 1,
        "status": reported, "error": error(0, "NO_ERROR"), **more,
    }  # fmt: skip


def error(number: int, name: str, *, permanent: bool = False) -> dict[str, object]:
    return {"groupId": 1 if number else 0, "id": number, "name": name, "description": "", "permanent": permanent}


def failed(why: str, *, opted_out: bool = False) -> Receipt:
    return Receipt("failed", DONE_AT, "41", "41", why, opted_out, "+254712345671" if opted_out else "")


DELIVERED = status(3, 5, "DELIVERED_TO_HANDSET")
UNDELIVERED = status(2, 9, "UNDELIVERABLE_NOT_DELIVERED")
INCOMING = {
    "messageId": "817790313235066447", "from": "254712345671", "to": "20414", "text": "QUIZ Correct answer",
    "cleanText": "Correct answer", "keyword": "QUIZ", "receivedAt": "2026-11-25T08:00:00.000+0000", "smsCount": 1,
}  # fmt: skip

EXAM = Exam(
    make=make,
    envelope=envelope,
    accepted=Said(Accepted, 200, each(TAKEN)),
    accepted_id="1",
    wrong={
        "enroute": says(Accepted, 1, 7, "PENDING_ENROUTE"),
        "delivered at once": says(Accepted, 3, 5, "DELIVERED_TO_HANDSET"),
        "undeliverable": says(GiveUp, 2, 4, "UNDELIVERABLE_REJECTED_OPERATOR"),
        "expired": says(GiveUp, 4, 15, "EXPIRED_EXPIRED"),
        "network": says(GiveUp, 5, 6, "REJECTED_NETWORK"),
        "do not disturb": says(OptedOut, 5, 10, "REJECTED_DND"),
        "source": says(StopAll, 5, 11, "REJECTED_SOURCE"),
        "credits": says(StopAll, 5, 12, "REJECTED_NOT_ENOUGH_CREDITS"),
        "sender": says(StopAll, 5, 13, "REJECTED_SENDER"),
        "blocked": says(OptedOut, 5, 14, "REJECTED_DESTINATION"),
        "package": says(StopAll, 5, 17, "REJECTED_PREPAID_PACKAGE_EXPIRED"),
        "trial": says(StopAll, 5, 18, "REJECTED_DESTINATION_NOT_REGISTERED"),
        "route": says(StopAll, 5, 19, "REJECTED_ROUTE_NOT_AVAILABLE"),
        "flooding": says(GiveUp, 5, 20, "REJECTED_FLOODING_FILTER"),
        "system": says(TryLater, 5, 21, "REJECTED_SYSTEM_ERROR"),
        "duplicate": says(Unknown, 5, 23, "REJECTED_DUPLICATE_MESSAGE_ID"),
        "number": Said(GiveUp, 200, each(BAD_NUMBER), error="52 REJECTED_INVALID_DESTINATION"),
        "rejected, and why is not known": says(GiveUp, 5, 999, "REJECTED_BY_THE_MOON"),
        "bad request": failure(GiveUp, 400, "E400"),
        "too large": Said(GiveUp, 413, error="HTTP 413"),
        "forbidden": failure(StopAll, 403, "E403"),
        "not found": Said(StopAll, 404, error="HTTP 404"),
        "unavailable": Said(TryLater, 503, error="HTTP 503"),
        "nothing listed": Said(Unknown, 200, {"bulkId": "1", "messages": []}),
        "no status": Said(Unknown, 200, each(None)),
        "a status of another kind": Said(Unknown, 200, each({"groupId": [1], "id": {}})),
        "a group that is no number": Said(Unknown, 200, each({"groupId": True, "id": 26})),
    },
    throttled=failure(SlowDown, 429, "E429"),
    throttled_for=Said(SlowDown, 429, headers={"Retry-After": "7"}),
    server_error=failure(Unknown, 500, "E500"),
    garbage=Said(Unknown, 200, b"\xff{"),
    unknown_code=says(Unknown, 9, 90, "ON_THE_MOON"),
    wrong_credentials=failure(StopAll, 401, "E401"),
    one_bad=Said(GiveUp, 200, each(TAKEN, second=BAD_NUMBER)),
    secrets=[KEY],
    another=Said(Unknown, 200, {"messages": [{"messageId": "999", "status": TAKEN}]}, error="another message"),
    door=Door(
        receipts={
            "pending": Heard(hook(report(TAKEN)), [Receipt("sent", SENT_AT, "41", "41")]),
            "at the operator": Heard(
                hook(report(status(3, 2, "DELIVERED_TO_OPERATOR"))), [Receipt("sent", SENT_AT, "41", "41")]
            ),
            "delivered": Heard(hook(report(DELIVERED)), [Receipt("delivered", DONE_AT, "41", "41")]),
            "undeliverable": Heard(
                hook(report(UNDELIVERED, error=error(1, "EC_UNKNOWN_SUBSCRIBER", permanent=True))),
                [failed("UNDELIVERABLE_NOT_DELIVERED, EC_UNKNOWN_SUBSCRIBER, permanent")],
            ),
            "absent": Heard(
                hook(report(UNDELIVERED, error=error(27, "EC_ABSENT_SUBSCRIBER"))),
                [failed("UNDELIVERABLE_NOT_DELIVERED, EC_ABSENT_SUBSCRIBER, temporary")],
            ),
            "expired": Heard(hook(report(status(4, 15, "EXPIRED_EXPIRED"))), [failed("EXPIRED_EXPIRED")]),
            "do not disturb": Heard(
                hook(report(status(5, 10, "REJECTED_DND"))), [failed("REJECTED_DND", opted_out=True)]
            ),
            "blocked": Heard(
                hook(report(UNDELIVERED, error=error(2052, "EC_BLACKLISTED_DESTINATIONADDRESS", permanent=True))),
                [failed("UNDELIVERABLE_NOT_DELIVERED, EC_BLACKLISTED_DESTINATIONADDRESS, permanent", opted_out=True)],
            ),
            "without callback data": Heard(
                hook(report(DELIVERED, callbackData=None)), [Receipt("delivered", DONE_AT, "41", "41")]
            ),
            "without times": Heard(
                hook(report(DELIVERED, doneAt=None, sentAt=None)), [Receipt("delivered", NOW, "41", "41")]
            ),
            "a hundred and more, one of them unknown": Heard(
                hook(
                    *(report(DELIVERED, messageId=str(number), callbackData=str(number)) for number in range(100, 250)),
                    report(status(9, 90, "ON_THE_MOON")),
                ),
                [Receipt("delivered", DONE_AT, str(number), str(number)) for number in range(100, 250)],
            ),
        },
        replies={
            "incoming": Heard(
                hook(INCOMING, messageCount=1, pendingMessageCount=0),
                [Reply("sms", "+254712345671", "QUIZ Correct answer", SENT_AT, "817790313235066447", "20414")],
            ),
            "several, one of them of nobody": Heard(
                hook({**INCOMING, "from": "MPESA"}, {**INCOMING, "text": "STOP", "messageId": "8"}),
                [Reply("sms", "+254712345671", "STOP", SENT_AT, "8", "20414")],
            ),
        },
        unknown=hook(report(status(3, 77, "DELIVERED_TO_THE_MOON"))),
        malformed=[
            hook(),
            Hook("POST", DOOR, {}, b"{", NOW),
            Hook("POST", DOOR, {}, b"\xff\xfe", NOW),
            Hook("POST", DOOR, {}, b"[" * 100_000, NOW),
            Hook("POST", DOOR, {}, b'{"results": {"messageId": "41"}}', NOW),
            hook(report(DELIVERED), "delivered"),
            hook(report(DELIVERED, messageId="")),
            hook(report(DELIVERED, callbackData=[41])),
            hook(report(DELIVERED, doneAt="yesterday")),
            hook({"messageId": "41"}),
        ],
        sign=None,
        parts=[Heard(hook(report(DELIVERED, messageCount=3)), [Receipt("delivered", DONE_AT, "41", "41")])],
    ),
)
