"""What is Twilio's own: the fields of its form, its signatures as its own SDK makes them, its options."""

import json
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl

import pytest

from messaging.providers.base import Forged, GiveUp, Hook, SlowDown, Template
from messaging.providers.twilio import Twilio
from tests.providers.answers.twilio import ACCOUNT, CONTENT, DOOR, EXAM, EXAMS, NOW, OURS, SHARED, TOKEN, refused
from tests.providers.exam import Exam
from tests.providers.questions import submit
from tests.providers.server import Server

FORM = "application/x-www-form-urlencoded"
# Signed by twilio.request_validator of the SDK 9.13, with TOKEN and SHARED: a field twice, one empty, one not ASCII.
BODY = b"To=%2B254712345671&MessageStatus=delivered&MessageSid=SM1&Media=b&Media=a&Media=b&Empty=&Body=Ndiyo+%E2%9C%85"
SIGNED = "B6Ahy+wawSngRaRbwNzJJA05gvw="
SIGNED_WITH_PORT = "gwuXPbMG3pz0Qvstw38kTqCSVLE="
SIGNED_WITH_8443 = "DXoJHmuxPkDLnY+t6exN+fx23gI="
SIGNED_BY_SHARED_KEY = "zX4e0Xw8fs8mJ4fsSIw+hml1dcbmRSTw6U67TCFv8ic="
JSON = b'{"MessageStatus": "delivered"}'
JSON_URL = f"{OURS}&bodySHA256=ba72013fda25ce807fc29d4d57f7b39076ebaa58cb97bb07845830a350753a39"
SIGNED_JSON = "WoLRdvqgpZvWaWArlAh+GTh9zX0="
SHARED_KEY = "key=webhooks_sharedkey_1,algorithm=HMAC_SHA256"


def twilio(**options: Any) -> Twilio:
    return Twilio(**{"account_sid": ACCOUNT, "auth_token": TOKEN, "sender": "+15005550006", **options})


def hook(signature: str, url: str = OURS, body: bytes = BODY, kind: str = FORM, settings: str = "") -> Hook:
    headers = {"content-type": kind, "x-twilio-signature": signature, "x-twilio-webhooks-signature-settings": settings}
    return Hook("POST", url, headers, body, NOW)


def form(exam: Exam, server: Server, **changes: Any) -> dict[str, str]:
    """The fields that the adapter sends for one message."""
    server.script = lambda _: exam.accepted
    submit(exam, server, replace(exam.envelope("41"), **changes))
    return dict(parse_qsl(server.asked[0].body.decode(), keep_blank_values=True))


def test_an_sms_goes_out_as_text_and_its_receipts_name_our_reference(server: Server) -> None:
    assert form(EXAM, server, to="+254712345678") == {
        "To": "+254712345678",
        "From": "+15005550006",
        "Body": "Habari ya asubuhi",
        "StatusCallback": f"{DOOR}?reference=41",
    }
    assert server.asked[0].target == f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
    assert server.asked[0].headers["authorization"].startswith("Basic ")


def test_nobody_is_asked_to_call_a_door_that_cannot_be_reached(server: Server) -> None:
    assert "StatusCallback" not in form(EXAM, server, receipt_url="")


def test_a_template_goes_out_by_its_content_sid_with_numbered_variables(server: Server) -> None:
    sent = form(EXAMS["whatsapp"], server)
    assert sent["To"] == "whatsapp:+2547123456741"
    assert "From" not in sent
    assert sent["MessagingServiceSid"] == f"MG{'b' * 32}"
    assert "Body" not in sent
    assert sent["ContentSid"] == CONTENT
    assert json.loads(sent["ContentVariables"]) == {"1": "Ann", "2": "kesho"}


def test_a_whatsapp_text_goes_from_the_senders_whatsapp(server: Server) -> None:
    sent = form(EXAM, server, channel="whatsapp")
    assert (sent["From"], sent["Body"]) == ("whatsapp:+15005550006", "Habari ya asubuhi")


def test_a_template_that_is_none_of_twilios_is_refused_before_anything_leaves(server: Server) -> None:
    envelope = replace(EXAM.envelope("1"), channel="whatsapp", template=Template("welcome", "sw"))
    assert [type(each) for each in submit(EXAM, server, envelope)] == [GiveUp]
    assert server.asked == []


def test_how_long_twilio_may_keep_a_message_can_be_set(server: Server) -> None:
    exam = replace(EXAM, make=lambda url: twilio(validity_seconds=600, url=url))
    assert form(exam, server)["ValidityPeriod"] == "600"


def test_a_daily_limit_is_left_alone_for_an_hour(server: Server) -> None:
    server.script = lambda _: refused(SlowDown, 63038)
    (outcome,) = submit(EXAM, server, EXAM.envelope("1"))
    assert isinstance(outcome, SlowDown)
    assert outcome.seconds == 3600


@pytest.mark.parametrize(
    "signed",
    [
        hook(SIGNED),
        hook(SIGNED_WITH_PORT),
        hook(SIGNED, OURS.replace("clarion.example", "clarion.example:443")),
        hook(SIGNED_WITH_8443, OURS.replace("clarion.example", "clarion.example:8443")),
        hook(SIGNED_BY_SHARED_KEY, settings=SHARED_KEY),
        hook(SIGNED_JSON, JSON_URL, JSON, "application/json"),
    ],
    ids=["form", "signed with port", "called with port", "another port", "shared key", "JSON"],
)
def test_what_the_sdk_signs_is_believed(signed: Hook) -> None:
    twilio(webhook_secret=SHARED).verify(signed)


@pytest.mark.parametrize(
    ("forged", "sentence"),
    [
        (hook(SIGNED_JSON, JSON_URL, JSON + b" ", "application/json"), "hash"),
        (hook(SIGNED_JSON, OURS, JSON, "application/json"), "hash"),
        (hook(SIGNED, body=BODY, kind="text/plain"), "hash"),
        (hook(SIGNED, body=b"\xff=1"), "UTF-8"),
        (hook(SIGNED, settings=SHARED_KEY), "wrong"),
        (hook(SIGNED_BY_SHARED_KEY), "wrong"),
        (hook(SIGNED, settings="algorithm=none"), "algorithm"),
        (hook(""), "missing"),
        (hook(SIGNED, "https://clarion.example:port/x"), "URL"),
        (hook(SIGNED, OURS.replace("https", "http")), "wrong"),
    ],
)
def test_what_twilio_did_not_sign_is_forged(forged: Hook, sentence: str) -> None:
    with pytest.raises(Forged, match=sentence):
        twilio(webhook_secret=SHARED).verify(forged)


def test_an_account_without_a_token_believes_nobody() -> None:
    keyed = twilio(auth_token="", api_key="SK1", api_key_secret="secret")
    with pytest.raises(Forged, match="no auth_token"):
        keyed.verify(hook(SIGNED))
    with pytest.raises(Forged, match="no auth_token or webhook_secret"):
        twilio().verify(hook(SIGNED_BY_SHARED_KEY, settings=SHARED_KEY))


def test_a_number_that_calls_by_get_is_understood() -> None:
    url = f"{DOOR}?From=%2B254712345671&To=%2B15005550006&Body=Asante&MessageSid=SM1"
    (reply,) = twilio().read(Hook("GET", url, {}, b"", NOW))
    assert getattr(reply, "text", "") == "Asante"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"account_sid": "AC1"}, "account_sid must be"),
        ({"auth_token": ""}, "give the auth_token"),
        ({"api_key": "SK1"}, "api_key_secret"),
        ({"sender": ""}, "either the sender"),
        ({"messaging_service_sid": f"MG{'b' * 32}"}, "either the sender"),
        ({"sender": "a name that is too long"}, "sender must be"),
        ({"sender": "", "messaging_service_sid": "MG1"}, "messaging_service_sid must be"),
        ({"validity_seconds": 0}, "validity_seconds must be"),
        ({"url": "api.twilio.com"}, "url must be"),
        ({"in_flight": 0}, "in_flight is 0"),
    ],
)
def test_wrong_options_are_refused_with_a_sentence(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        twilio(**options)


def test_a_name_or_short_code_sends_no_whatsapp() -> None:
    assert twilio(sender="Clarion").capabilities.channels == {"sms"}
    assert twilio().capabilities.channels == {"sms", "whatsapp"}
