"""What is Meta's own: the messages that it gets, its signature over raw bytes, its challenge, its options."""

import json
from dataclasses import replace
from typing import Any

import pytest

from messaging.providers.base import Answer, Forged, Hook, Reply, SlowDown
from messaging.providers.whatsapp_cloud import WhatsAppCloud
from tests.providers.answers.whatsapp_cloud import (
    CHALLENGE,
    DOOR,
    EXAM,
    NOW,
    TOKEN,
    VERIFY,
    hook,
    make,
    preference,
    refused,
)
from tests.providers.questions import submit
from tests.providers.server import Server


def whatsapp(**options: Any) -> WhatsAppCloud:
    return WhatsAppCloud(**{"phone_number_id": "106540352242922", "access_token": TOKEN, **options})


def sent(server: Server, **changes: Any) -> dict[str, Any]:
    server.script = lambda _: EXAM.accepted
    submit(EXAM, server, replace(EXAM.envelope("1"), **changes))
    body: dict[str, Any] = json.loads(server.asked[0].body)
    return body


def tries(url: str) -> Hook:
    return Hook("GET", url, {}, b"", NOW)


def test_a_template_goes_out_by_name_and_language_with_its_variables_and_our_reference(server: Server) -> None:
    assert sent(server) == {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": "+254712345671",
        "biz_opaque_callback_data": "1",
        "type": "template",
        "template": {
            "name": "november_offer",
            "language": {"code": "sw", "policy": "deterministic"},
            "components": [
                {"type": "body", "parameters": [{"type": "text", "text": "Ann"}, {"type": "text", "text": "kesho"}]}
            ],
        },
    }
    assert server.asked[0].target == "/v23.0/106540352242922/messages"
    assert server.asked[0].headers["authorization"] == f"Bearer {TOKEN}"


def test_a_free_text_goes_out_as_it_reads(server: Server) -> None:
    body = sent(server, template=None)
    assert (body["type"], body["text"]) == ("text", {"body": "Habari Ann, kesho", "preview_url": False})


@pytest.mark.parametrize(("code", "seconds"), [(131056, 6), (131048, 3600), (130429, None)])
def test_a_limit_is_waited_for_as_long_as_it_lasts(server: Server, code: int, seconds: float | None) -> None:
    server.script = lambda _: refused(SlowDown, code)
    (outcome,) = submit(EXAM, server, EXAM.envelope("1"))
    assert isinstance(outcome, SlowDown)
    assert outcome.seconds == seconds


def test_the_signature_is_over_the_bytes_as_they_came() -> None:
    signed = hook(b'{"object": "whatsapp_business_account", "entry": [], "note": "\\u270b"}')
    make("http://127.0.0.1:9").verify(signed)
    with pytest.raises(Forged, match="wrong"):
        make("http://127.0.0.1:9").verify(replace(signed, body=json.dumps(signed.json, ensure_ascii=False).encode()))


def test_meta_may_try_the_door_when_it_knows_the_token() -> None:
    adapter = make("http://127.0.0.1:9")
    adapter.verify(tries(CHALLENGE))
    assert adapter.answer(tries(CHALLENGE)) == Answer("1158201444", "text/plain")


@pytest.mark.parametrize(
    "url",
    [
        CHALLENGE.replace(VERIFY, "guess"),
        CHALLENGE.replace("subscribe", "unsubscribe"),
        f"{DOOR}?hub.mode=subscribe&hub.challenge=1",
        f"{DOOR}?hub.mode=subscribe&hub.verify_token=%ED%A0%80&hub.challenge=1",
    ],
)
def test_nobody_else_may_try_the_door(url: str) -> None:
    with pytest.raises(Forged, match="token"):
        make("http://127.0.0.1:9").verify(tries(url))


def test_an_account_without_its_secrets_believes_nobody() -> None:
    with pytest.raises(Forged, match="no app_secret"):
        whatsapp().verify(hook({}))
    with pytest.raises(Forged, match="token"):
        whatsapp().verify(tries(f"{DOOR}?hub.mode=subscribe&hub.verify_token=&hub.challenge=1"))


def test_a_wish_that_meta_repeats_is_known_and_a_later_one_is_another() -> None:
    names = []
    for told in (preference("stop"), preference("stop"), preference("stop", timestamp=1795593599)):
        (wish,) = make("http://127.0.0.1:9").read(told)
        assert isinstance(wish, Reply)
        names.append(wish.provider_message_id)
    assert names[0] == names[1] != names[2]
    assert "254712345678" not in names[0]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"phone_number_id": "+254700000001"}, "phone_number_id must be"),
        ({"access_token": ""}, "access_token must not"),
        ({"version": "23"}, "version must be"),
        ({"url": "ftp://graph.facebook.com"}, "url must be"),
    ],
)
def test_wrong_options_are_refused_with_a_sentence(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        whatsapp(**options)
