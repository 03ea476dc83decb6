"""What Kannel is asked: the exam asks what becomes of its answers."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest

from campaigns import parts
from messaging.providers import kannel
from messaging.providers.base import Accepted, Envelope
from tests.providers.answers.kannel import EXAM, PASSWORD, envelope, make
from tests.providers.exam import Said
from tests.providers.server import Asked, Server


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    server.script = lambda _: Said(Accepted, 202, "0: Accepted for delivery")
    yield server
    server.close()


def asked(server: Server, envelope: Envelope, **options: object) -> Asked:
    """What Kannel is asked for this envelope by an adapter with further options."""

    async def submit() -> None:
        provider = kannel.Kannel(
            **{"url": server.url, "username": "u", "password": PASSWORD, "sender": "ACME", **options}  # type: ignore[arg-type]
        )
        await provider.submit([envelope])
        await provider.web.close()

    asyncio.run(submit())
    (request,) = server.asked
    return request


def test_credentials_stand_in_no_url(server: Server) -> None:
    request = asked(server, envelope("1"))
    assert PASSWORD not in request.target
    assert PASSWORD not in request.body.decode()
    assert request.headers["x-kannel-password"] == PASSWORD
    assert request.method == "POST", "a GET may be repeated by whatever stands between"


def test_the_receipts_url_carries_our_reference_and_kannels_own_blanks(server: Server) -> None:
    url = asked(server, replace(envelope("1"), reference="41")).headers["x-kannel-dlr-url"]
    assert parse_qs(urlsplit(url).query) == {"ref": ["41"], "type": ["%d"], "id": ["%F"], "at": ["%T"], "said": ["%A"]}
    assert server.asked[0].headers["x-kannel-dlr-mask"] == "27"


def test_a_percent_sign_of_ours_is_none_of_kannels_blanks(server: Server) -> None:
    door = "https://clarion.example/hooks/a%2Fb/t?x=%20"
    url = asked(server, replace(envelope("1"), receipt_url=door)).headers["x-kannel-dlr-url"]
    assert url.startswith("https://clarion.example/hooks/a%%2Fb/t?x=%%20&ref=1&type=%d")


def test_no_receipts_are_asked_for_when_nobody_can_reach_us(server: Server) -> None:
    assert "x-kannel-dlr-mask" not in asked(server, replace(envelope("1"), receipt_url="")).headers


@pytest.mark.parametrize(("text", "coding"), [("Price: {5} €, ñ", "0"), ("Jambo ☺", "2"), ("`", "2"), ("Ça va", "0")])
def test_a_text_goes_as_gsm7_where_that_has_all_of_it(server: Server, text: str, coding: str) -> None:
    request = asked(server, replace(envelope("1"), text=text))
    assert request.headers["x-kannel-coding"] == coding
    assert request.body.decode() == text


def test_its_alphabet_is_the_one_by_which_parts_are_counted() -> None:
    everything = {chr(code) for code in range(0x10000) if not 0xD800 <= code < 0xE000}
    assert {sign for sign in everything if parts.forcing_character(sign) is None} == kannel.GSM7


def test_options_reach_kannel(server: Server) -> None:
    headers = asked(server, envelope("1"), smsc="AIRTEL", validity_minutes=90).headers
    assert headers["x-kannel-smsc"] == "AIRTEL"
    assert headers["x-kannel-validity"] == "90"
    assert headers["x-kannel-from"] == "ACME"


def test_the_answer_to_a_reply_is_empty_because_kannel_sends_it_on_to_the_person() -> None:
    assert EXAM.door
    for heard in EXAM.door.replies.values():
        assert make("http://127.0.0.1:9").answer(heard.hook).body == ""


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("url", "smsbox:13013"), ("username", ""), ("password", "two\r\nlines"), ("sender", "Café"), ("smsc", "a\nb"),
        ("validity_minutes", 0), ("in_flight", 0),
    ],
)  # fmt: skip
def test_an_option_that_cannot_be_meant_is_refused_with_its_name(option: str, value: object) -> None:
    right = {"url": "http://smsbox:13013/cgi-bin/sendsms", "username": "u", "password": "p", "sender": "ACME"}
    with pytest.raises(ValueError, match=option):
        kannel.Kannel(**{**right, option: value})  # type: ignore[arg-type]
