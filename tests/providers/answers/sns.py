"""AWS SNS, which answers in XML; it calls nobody, so it has no door."""

from messaging.providers.base import Accepted, Envelope, GiveUp, OptedOut, Outcome, SlowDown, StopAll, TryLater, Unknown
from messaging.providers.sns import Sns
from tests.providers.exam import Exam, Said

XMLNS = 'xmlns="http://sns.amazonaws.com/doc/2010-03-31/"'
KEY, SECRET = "AKIAEXAMPLE", "only-aws-knows"


def make(url: str) -> Sns:
    return Sns(region="eu-west-1", sender_id="ACME", access_key_id=KEY, secret_access_key=SECRET, endpoint_url=url)


def envelope(reference: str) -> Envelope:
    return Envelope(reference, "sms", f"+25471234567{reference}", "Habari ya asubuhi")


def says(outcome: type[Outcome], status: int, code: str) -> Said:
    """An error as SNS words them: its sentence may repeat the phone."""
    body = (
        f"<ErrorResponse {XMLNS}><Error><Type>Sender</Type><Code>{code}</Code>"
        "<Message>Invalid parameter: PhoneNumber Reason: +254712345671 is not valid to publish to</Message></Error>"
        "<RequestId>9d3c</RequestId></ErrorResponse>"
    )
    return Said(outcome, status, body, error=code)


ANSWER = (
    f"<PublishResponse {XMLNS}><PublishResult><MessageId>567910cd</MessageId></PublishResult>"
    "<ResponseMetadata><RequestId>d74b</RequestId></ResponseMetadata></PublishResponse>"
)
EXAM = Exam(
    make=make,
    envelope=envelope,
    accepted=Said(Accepted, 200, ANSWER),
    accepted_id="567910cd",
    wrong={
        "number": says(GiveUp, 400, "InvalidParameter"),
        "value": says(GiveUp, 400, "ParameterValueInvalid"),
        "opted out": says(OptedOut, 400, "OptedOut"),
        "forbidden": says(StopAll, 403, "AuthorizationError"),
        "signature": says(StopAll, 403, "SignatureDoesNotMatch"),
        "expired key": says(StopAll, 403, "ExpiredToken"),
        "other 403": says(StopAll, 403, "SomethingNew"),
        "unavailable": says(TryLater, 503, "ServiceUnavailable"),
        "throttled by a 503": says(SlowDown, 503, "Throttling"),
        "other 429": says(SlowDown, 429, "SomethingNew"),
        "internal": says(Unknown, 500, "InternalError"),
        "a phone for a code": Said(
            GiveUp, 400, says(GiveUp, 400, "+254712345671").body, error="HTTP 400, that cannot be shown"
        ),
        "accepted without an id": Said(
            Unknown, 200, f"<PublishResponse {XMLNS}><PublishResult></PublishResult></PublishResponse>"
        ),
    },
    throttled=says(SlowDown, 400, "Throttling"),
    throttled_for=None,  # AWS names no time
    server_error=Said(Unknown, 500, b"", error="HTTP 500"),
    garbage=Said(Unknown, 200, b"\xff<"),
    unknown_code=says(GiveUp, 400, "SomethingNew"),
    wrong_credentials=says(StopAll, 403, "InvalidClientTokenId"),
    one_bad=None,
    door=None,
    secrets=[KEY, SECRET],
)
