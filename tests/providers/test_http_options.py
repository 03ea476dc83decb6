"""A vendor that is described by settings alone: what goes out under which name, and settings that cannot be meant."""

import json
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from messaging.providers.base import Accepted, Answer, Forged, Hook, Malformed, Outcome, Unknown
from messaging.providers.http import Http
from messaging.providers.reading import signature
from tests.providers.answers.http import DOOR, EXAM, EXAMS, NOW, envelope
from tests.providers.exam import Said
from tests.providers.questions import submit
from tests.providers.server import Server


def outcome(server: Server, said: Said, **options: Any) -> Outcome:
    exam = type(EXAM)(**{**vars(EXAM), "make": lambda url: Http(url=url, **options)})
    server.script = lambda _: said
    (told,) = submit(exam, server, envelope("1"))
    return told


def test_a_form_carries_the_vendors_names_and_what_goes_with_each(server: Server) -> None:
    server.script = lambda _: EXAM.accepted
    submit(EXAM, server, envelope("1"))
    assert dict(parse_qsl(server.asked[0].body.decode())) == {
        "type": "bulk",
        "msisdn": "254712345671",
        "message": "Habari ya asubuhi",
        "from": "SEMA",
        "ref": "1",
        "dlr": f"{DOOR}?reference=1",
    }
    assert server.asked[0].headers["api-key"] == "key-of-sema"


def test_a_query_goes_behind_the_one_that_the_address_has(server: Server) -> None:
    exam = EXAMS["by_query"]
    server.script = lambda _: exam.accepted
    submit(exam, server, envelope("1"))
    asked = server.asked[0]
    assert (asked.method, asked.body) == ("GET", b"")
    assert dict(parse_qsl(urlsplit(asked.target).query)) == {
        "tenant": "7", "to": "+254712345671", "text": "Habari ya asubuhi", "via": "sms",
    }  # fmt: skip


def test_without_settings_json_is_posted_as_ever(server: Server) -> None:
    server.script = lambda _: EXAMS["defaults"].accepted
    submit(EXAMS["defaults"], server, envelope("1"))
    assert json.loads(server.asked[0].body) == {
        "reference": "1", "channel": "sms", "to": "+254712345671", "text": "Habari ya asubuhi",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("said", "options", "told"),
    [
        (Said(Unknown, 200, {"ok": True}), {"code": "ok", "codes": {"true": "accepted"}}, Accepted()),
        (Said(Unknown, 200, {}), {"code": "ok", "codes": {"true": "accepted"}}, Unknown("HTTP 200, no code")),
        (Said(Unknown, 200, {"id": {"a": 1}}), {}, Accepted("")),
        (Said(Unknown, 204), {"statuses": {"204": "unknown"}}, Unknown("HTTP 204")),
        (
            Said(Unknown, 200, {"c": "call 254712345671"}),
            {"code": "c", "codes": {"0": "accepted"}},
            Unknown("HTTP 200, code that cannot be shown"),
        ),
    ],
)
def test_an_answer_means_what_the_settings_say(
    server: Server, said: Said, options: dict[str, Any], told: Outcome
) -> None:
    assert outcome(server, said, **options) == told


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"url": "example.com/send"}, "url must be an address"),
        ({"look_up_url": "example.com"}, "look_up_url must be"),
        ({"method": "DELETE"}, "method knows GET, POST, PUT, and not 'DELETE'"),
        ({"body": "xml"}, "body knows form, json, query"),
        ({"fields": {"number": "to"}}, "fields knows .*receipt_url.*, and not 'number'"),
        ({"fields": {"text": "message"}}, "fields must name the text and the number"),
        ({"statuses": {"429": "wait"}}, "statuses knows .*slow_down.*, and not 'wait'"),
        ({"statuses": {"4x": "give_up"}}, "statuses are such as 429 or 4xx"),
        ({"code": "a.b"}, "give both or neither"),
        ({"code": "a.b", "codes": {"0": "fine"}}, "codes knows .*, and not 'fine'"),
        ({"receipts": {"statuses": {"ok": "arrived"}}}, r"receipts.statuses knows .*, and not \['arrived'\]"),
        ({"receipts": {"statuses": {}, "state": "x"}}, "receipts does not know state; it knows"),
        ({"receipts": {}}, "receipts lacks a setting"),
        ({"replies": {"channel": "fax"}}, "replies.channel is sms or whatsapp"),
        ({"signature": {"header": "X-Signature", "secret": ""}}, "signature needs a header and a secret"),
        ({"signature": {"header": "X", "secret": "s", "algorithm": "md5"}}, "signature.algorithm is"),
        ({"signature": {"header": "X", "secret": "s", "encoding": "base58"}}, "signature.encoding is"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused_with_a_sentence(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Http(**{"url": "https://example.com", **options})


def test_a_vendor_whose_receipts_nobody_described_is_not_understood() -> None:
    with pytest.raises(Malformed):
        Http(url="https://example.com").read(Hook("POST", DOOR, {}, b'{"status": "ok"}', NOW))


def test_a_vendor_hears_the_words_that_it_wants() -> None:
    adapter = Http(url="https://example.com", answer="OK")
    assert adapter.answer(Hook("POST", DOOR, {}, b"", NOW)) == Answer("OK")


@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "sha512"])
def test_a_signature_may_be_made_in_the_vendors_way(algorithm: Any) -> None:
    made = {"header": "X-Sig", "secret": "s3cret", "algorithm": algorithm, "encoding": "base64"}
    adapter = Http(url="https://example.com", signature=made)
    given = signature("s3cret", b"body", algorithm=algorithm, encoding="base64")
    adapter.verify(Hook("POST", DOOR, {"x-sig": given}, b"body", NOW))
    with pytest.raises(Forged, match="missing"):
        adapter.verify(Hook("POST", DOOR, {}, b"body", NOW))
