"""What is Telnyx's own: the body of its requests, the time of its signatures, its options."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from messaging.adapters import shipped
from messaging.providers.base import Accepted, Forged, Receipt, SlowDown
from messaging.providers.telnyx import Telnyx
from tests.providers.answers.telnyx import AT, DOOR, EXAM, ID, NOW, PUBLIC_KEY, receipt, refused, sign, taken
from tests.providers.exam import Exam, Said
from tests.providers.questions import submit
from tests.providers.server import Server

DELIVERED = receipt("message.finalized", "delivered")
# The public key of RFC 8032, 7.1, test 3.
ANOTHER_KEY = "/FHNjmIYoaONpH7QAjDwWAgW7RO6MwOsXeuRFUiQgCU="


def telnyx(**options: Any) -> Telnyx:
    return Telnyx(**{"api_key": "KEY0123", "public_key": PUBLIC_KEY, "sender": "+15005550006", **options})


def sent(exam: Exam, server: Server, **changes: Any) -> dict[str, Any]:
    """The body that the adapter sends for one message."""
    server.script = lambda _: replace(exam.accepted, body={"data": {"id": ID}})
    submit(exam, server, replace(exam.envelope("1"), **changes))
    body: dict[str, Any] = json.loads(server.asked[0].body)
    return body


def test_a_message_goes_out_as_json_and_its_receipts_name_our_reference(server: Server) -> None:
    assert sent(EXAM, server, text="Habari, Zoë 👋") == {
        "from": "+15005550006",
        "to": "+254712345671",
        "text": "Habari, Zoë 👋",
        "webhook_url": f"{DOOR}?reference=1",
    }
    (asked,) = server.asked
    assert (asked.method, asked.target) == ("POST", "/v2/messages")
    assert asked.headers["authorization"] == "Bearer KEY0123"


def test_nobody_is_asked_to_call_a_door_that_cannot_be_reached(server: Server) -> None:
    assert "webhook_url" not in sent(EXAM, server, receipt_url="")


def test_an_answer_that_spells_our_door_otherwise_is_still_ours(server: Server) -> None:
    server.script = lambda _: replace(EXAM.accepted, body=taken(f"{DOOR.upper()}/?more=1&reference=1"))
    assert submit(EXAM, server, EXAM.envelope("1")) == [Accepted(ID)]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"sender": "", "messaging_profile_id": "p-1"}, {"messaging_profile_id": "p-1"}),
        ({"sender": "DUKA", "messaging_profile_id": "p-1"}, {"from": "DUKA", "messaging_profile_id": "p-1"}),
    ],
)
def test_a_profile_chooses_the_number_or_goes_with_a_word(
    options: dict[str, str], said: dict[str, str], server: Server
) -> None:
    body = sent(replace(EXAM, make=lambda url: telnyx(url=url, **options)), server)
    assert {name: body[name] for name in body.keys() & {"from", "messaging_profile_id"}} == said


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "3", "x-ratelimit-reset": "7"}, 3),
        ({"x-ratelimit-reset": "3600"}, 3600),
        ({"x-ratelimit-reset": "1764057600"}, None),
        ({"x-ratelimit-reset": "soon"}, None),
        ({}, None),
    ],
)
def test_it_waits_as_long_as_the_limit_lasts(headers: dict[str, str], seconds: float | None, server: Server) -> None:
    server.script = lambda _: Said(SlowDown, 429, refused("10011"), headers=headers)
    assert submit(EXAM, server, EXAM.envelope("1")) == [SlowDown("code 10011: too many requests", seconds)]


@pytest.mark.parametrize("seconds", [-300, 0, 300])
def test_a_signature_holds_for_five_minutes_whichever_clock_is_ahead(seconds: int) -> None:
    telnyx().verify(replace(DELIVERED, received_at=NOW + timedelta(seconds=seconds)))


@pytest.mark.parametrize("seconds", [-301, 301])
def test_a_request_that_is_repeated_later_is_forged(seconds: int) -> None:
    with pytest.raises(Forged, match="another time"):
        telnyx().verify(replace(DELIVERED, received_at=NOW + timedelta(seconds=seconds)))


@pytest.mark.parametrize("change", [{"telnyx-timestamp": "1"}, {"telnyx-timestamp": "x"}, {"telnyx-timestamp": ""}])
def test_the_time_is_signed_too(change: dict[str, str]) -> None:
    with pytest.raises(Forged):
        telnyx().verify(replace(DELIVERED, headers={**DELIVERED.headers, **change}))


def test_the_signature_of_another_account_is_forged() -> None:
    with pytest.raises(Forged, match="wrong"):
        telnyx(public_key=ANOTHER_KEY).verify(DELIVERED)


def test_a_receipt_names_the_message_that_was_signed_whatever_address_was_called() -> None:
    forged = replace(sign(DELIVERED), url=f"{DOOR}?reference=999")
    assert telnyx().read(forged) == [Receipt("delivered", AT, "41", ID)]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"api_key": ""}, "api_key must be given"),
        ({"api_key": "KEY\n0123"}, "api_key must be given, in one word"),
        ({"public_key": ""}, "public_key must be"),
        ({"public_key": "KEY0123"}, "public_key must be"),
        ({"public_key": None}, "public_key must be"),
        ({"sender": ""}, "sender or messaging_profile_id must be given"),
        ({"url": "telnyx"}, "url must be an address"),
        ({"in_flight": 0}, "in_flight"),
    ],
)
def test_wrong_options_are_refused_with_a_sentence_that_repeats_no_credential(
    options: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence) as refused:
        telnyx(**options)
    assert "0123" not in str(refused.value)


def test_it_can_be_set_up_in_the_admin() -> None:
    options = {option.name: option for option in shipped()["telnyx"].options}
    assert [name for name, option in options.items() if option.is_required] == ["api_key", "public_key"]
    assert [name for name, option in options.items() if option.is_secret] == ["api_key"]
    assert options["public_key"].help
