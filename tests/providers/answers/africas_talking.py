"""Africa's Talking: each answer speaks of the numbers of the request, in the vendor's words."""

from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlencode

from messaging.providers.africas_talking import AfricasTalking
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
from tests.providers.exam import Door, Exam, Heard, Said

NOW = datetime(2026, 11, 25, 8, 0, 30, tzinfo=UTC)
AT = datetime(2026, 11, 25, 8, 0, tzinfo=UTC)
DOOR = "https://clarion.example/hooks/at/s3cret"
KEY = "atsk_0123"
ID = "ATXid_1"


def make(url: str) -> AfricasTalking:
    return AfricasTalking(username="duka", api_key=KEY, sender="DUKA", url=url)


def envelope(reference: str) -> Envelope:
    return Envelope(reference, "sms", f"+25471234567{reference}", "Habari ya asubuhi")


def recipient(number: str, code: object, status: str) -> dict[str, object]:
    """What the vendor says of one number; one that it refused has the id `None`."""
    is_taken = code in (100, 101, 102)
    return {
        "number": number, "statusCode": code, "status": status, "messageId": ID if is_taken else "None",
        "cost": "KES 0.8000" if is_taken else "0",
    }  # fmt: skip


def each(code: object, status: str, *, second: tuple[int, str] | None = None) -> Callable[[str], object]:
    """The answer to a request: the same for all of its numbers, but for the second."""

    def body(form: str) -> object:
        numbers = parse_qs(form)["to"][0].split(",")
        listed = [recipient(number, code, status) for number in numbers]
        if second:
            listed[1] = recipient(numbers[1], *second)
        return {"SMSMessageData": {"Message": f"Sent to {len(numbers)}", "Recipients": listed}}

    return body


def refused(outcome: type[Outcome], code: int, status: str, http: int = 201) -> Said:
    return Said(outcome, http, each(code, status), error=f"{code} {status}")


def nobody(outcome: type[Outcome], message: str) -> Said:
    """The call as a whole is refused: no recipients, and why stands in the message."""
    return Said(outcome, 201, {"SMSMessageData": {"Message": message, "Recipients": []}})


def hook(**form: str) -> Hook:
    return Hook("POST", DOOR, {"content-type": "application/x-www-form-urlencoded"}, urlencode(form).encode(), NOW)


def report(status: str, **more: str) -> Hook:
    return hook(id=ID, status=status, phoneNumber="+254712345671", networkCode="63902", retryCount="0", **more)


def receipt(status: str, said: str, error: str = "", **more: str) -> Heard:
    is_opt_out = more.get("failureReason", "").startswith("UserInBlack")
    says = Receipt(said, NOW, "", ID, error, is_opt_out, "+254712345671" if is_opt_out else "")  # type: ignore[arg-type]
    return Heard(report(status, **more), [says])


def reply(text: str, date: str, at: datetime, sender: str = "+254712345671") -> Heard:
    said = hook(id="in-1", text=text, date=date, to="20414", linkId="L1", **{"from": sender})
    return Heard(said, [Reply("sms", "+254712345671", text, at, "in-1", "20414")])


EXAM = Exam(
    make=make,
    envelope=envelope,
    accepted=Said(Accepted, 201, each(101, "Success")),
    accepted_id=ID,
    wrong={
        "processed": Said(Accepted, 201, each(100, "Success")),
        "queued": Said(Accepted, 201, each("102", "Success")),
        "held": refused(StopAll, 401, "RiskHold"),
        "sender": refused(StopAll, 402, "InvalidSenderId"),
        "number": refused(GiveUp, 403, "InvalidPhoneNumber"),
        "landline": refused(GiveUp, 404, "UnsupportedNumberType"),
        "balance": refused(StopAll, 405, "InsufficientBalance"),
        "blacklist": refused(OptedOut, 406, "UserInBlacklist"),
        "blacklist by the status too": refused(OptedOut, 406, "UserInBlacklist", http=406),
        "no route": refused(GiveUp, 407, "CouldNotRoute"),
        "night in Nigeria": refused(GiveUp, 409, "DoNotDisturbRejection", http=409),
        "internal": refused(TryLater, 500, "InternalServerError"),
        "gateway": refused(TryLater, 501, "GatewayError"),
        "rejected by the gateway": refused(TryLater, 502, "RejectedByGateway"),
        "sender, nobody listed": nobody(StopAll, "InvalidSenderId"),
        "balance, nobody listed": nobody(StopAll, "InsufficientBalance"),
        "number, nobody listed": nobody(GiveUp, "InvalidPhoneNumber"),
        "nobody listed, and why is not known": nobody(Unknown, "Sent to 0/1 Total Cost: 0"),
        "the number in the message": nobody(Unknown, "+254712345671"),
        "bad request": Said(GiveUp, 400, "Request is missing required form field 'to'", error="HTTP 400"),
        "unavailable": Said(TryLater, 503, error="HTTP 503"),
        "not found": Said(StopAll, 404, error="HTTP 404"),
    },
    throttled=Said(SlowDown, 429),
    throttled_for=Said(SlowDown, 429, headers={"Retry-After": "7"}),
    server_error=Said(Unknown, 500, error="HTTP 500"),
    garbage=Said(Unknown, 201, b"\xff{"),
    unknown_code=refused(Unknown, 477, "MoonPhase"),
    wrong_credentials=Said(StopAll, 401, f"The supplied authentication is invalid: {KEY}"),
    one_bad=Said(GiveUp, 201, each(101, "Success", second=(403, "InvalidPhoneNumber"))),
    secrets=[KEY],
    another=Said(
        Unknown, 201, {"SMSMessageData": {"Recipients": [recipient("+254799999999", 101, "Success")]}}, error="another"
    ),
    door=Door(
        receipts={
            "sent": receipt("Sent", "sent"),
            "submitted": receipt("Submitted", "sent"),
            "buffered": receipt("Buffered", "sent"),
            "delivered": receipt("Success", "delivered"),
            "rejected": receipt("Rejected", "failed", "Rejected, UserIsInactive", failureReason="UserIsInactive"),
            "failed": receipt("Failed", "failed", "Failed"),
            "expired": receipt("Expired", "failed", "Expired"),
            "absent": receipt("AbsentSubscriber", "failed", "AbsentSubscriber"),
            "blacklisted": receipt("Failed", "failed", "Failed, UserInBlackList", failureReason="UserInBlackList"),
            "spelled otherwise": receipt(
                "Rejected", "failed", "Rejected, UserInBlacklist", failureReason="UserInBlacklist"
            ),
            "night in Nigeria": receipt(
                "Failed", "failed", "Failed, DoNotDisturbRejection", failureReason="DoNotDisturbRejection"
            ),
        },
        replies={
            "with a zone": reply("STOP ✋", "2026-11-25T08:00:00Z", AT),
            "without": reply("Ndiyo", "2026-11-25 08:00:00", AT),
            "three hours ahead": reply("STOP", "2026-11-25 11:00:00", NOW),
            "in a third way": reply("STOP", "25/11/2026 8:00", NOW),
            "without plus": reply("Sawa", "2026-11-25T08:00:00Z", AT, sender="254712345671"),
            "empty": reply("", "2026-11-25T08:00:00Z", AT),
        },
        others={
            "opt-out": Heard(
                hook(senderId="DUKA", phoneNumber="+254712345671"),
                [Reply("sms", "+254712345671", "", NOW, to="DUKA", wish="opt_out")],
            ),
            "of a sender without number": Heard(hook(id="in-2", text="Confirmed", to="20414", **{"from": "MPESA"}), []),
            "premium subscription": Heard(
                hook(phoneNumber="+254712345671", shortCode="20414", keyword="sema", updateType="addition"), []
            ),
        },
        unknown=report("OnTheMoon"),
        malformed=[
            hook(),
            hook(status="Success"),
            hook(id="", status="Success"),
            hook(**{"from": "+254712345671"}),
            hook(senderId="DUKA", phoneNumber="everybody"),
            Hook("POST", DOOR, {}, b"\xff\xfe", NOW),
        ],
        sign=None,
    ),
)
