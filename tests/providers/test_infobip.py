"""What is Infobip's own: its batches, the log that it is asked afterwards, the credentials of its subscriptions."""

import asyncio
import json
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from messaging.providers.base import Accepted, Envelope, Forged, GiveUp, Hook, OptedOut, Outcome, Unknown
from messaging.providers.infobip import Infobip
from tests.providers.answers.infobip import (
    BAD_NUMBER,
    DELIVERED,
    DOOR,
    EXAM,
    KEY,
    NOW,
    TAKEN,
    UNDELIVERED,
    each,
    envelope,
    failure,
    make,
    status,
)
from tests.providers.exam import Exam, Said
from tests.providers.questions import SHORT_SECONDS, submit
from tests.providers.server import Asked, Mishap, Script, Server

THREE = [envelope(reference) for reference in "123"]
REJECTED = status(5, 6, "REJECTED_NETWORK")
DUPLICATE = status(5, 23, "REJECTED_DUPLICATE_MESSAGE_ID")


def with_options(**options: Any) -> Infobip:
    return Infobip(**{"url": "https://abc123.api.infobip.com", "api_key": KEY, "sender": "DUKA", **options})


def exam(**options: Any) -> Exam:
    return replace(EXAM, make=lambda url: with_options(url=url, **options))


def messages(asked: Asked) -> list[dict[str, Any]]:
    said: list[dict[str, Any]] = json.loads(asked.body)["messages"]
    return said


def references(asked: Asked) -> list[str]:
    return [to["messageId"] for message in messages(asked) for to in message["destinations"]]


def test_different_texts_go_in_one_call_each_under_our_reference(server: Server) -> None:
    server.script = lambda _: EXAM.accepted
    assert submit(EXAM, server, *THREE) == [Accepted("1"), Accepted("2"), Accepted("3")]
    (asked,) = server.asked
    assert (asked.method, asked.target) == ("POST", "/sms/3/messages")
    assert asked.headers["authorization"] == f"App {KEY}"
    assert asked.headers["content-type"] == "application/json"
    assert messages(asked) == [
        {
            "sender": "DUKA",
            "destinations": [{"to": f"25471234567{reference}", "messageId": reference}],
            "content": {"text": f"Habari, {reference}!"},
            "webhooks": {
                "delivery": {"url": DOOR},
                "contentType": "application/json",
                "callbackData": reference,
            },
        }
        for reference in "123"
    ]


@pytest.mark.parametrize("options", [{"webhook_basic": "u:p"}, {"webhook_header": "X-Token: t"}])
def test_a_door_with_credentials_is_left_to_the_subscription_that_has_them(
    options: dict[str, str], server: Server
) -> None:
    server.script = lambda _: EXAM.accepted
    submit(exam(**options), server, *THREE)
    assert all("delivery" not in message["webhooks"] for message in messages(server.asked[0]))


def test_nobody_is_asked_to_call_a_door_that_cannot_be_reached(server: Server) -> None:
    server.script = lambda _: EXAM.accepted
    submit(EXAM, server, replace(envelope("1"), receipt_url=""))
    assert "delivery" not in messages(server.asked[0])[0]["webhooks"]


def test_a_call_has_no_more_messages_than_the_option_says(server: Server) -> None:
    server.script = lambda _: EXAM.accepted
    submit(exam(batch_size=2), server, *(envelope(reference) for reference in "12345"))
    assert sorted(len(messages(asked)) for asked in server.asked) == [1, 2, 2]


def test_a_batch_that_is_refused_for_one_bad_message_fails_that_one_alone(server: Server) -> None:
    bad = failure(GiveUp, 400, "E400")
    server.script = lambda asked: bad if "2" in references(asked) else EXAM.accepted
    assert submit(EXAM, server, *THREE) == [Accepted("1"), GiveUp("HTTP 400, code E400"), Accepted("3")]
    assert sorted(map(references, server.asked)) == [["1"], ["1", "2", "3"], ["2"], ["3"]]


@pytest.mark.parametrize("mishap", [Mishap.SILENCE, Mishap.DROPPED, Said(Unknown, 500), Said(Unknown, 200, b"{")])
def test_a_batch_that_may_have_been_taken_is_never_handed_over_again(mishap: Said | Mishap, server: Server) -> None:
    server.script = lambda _: mishap
    outcomes = submit(EXAM, server, *THREE, seconds=SHORT_SECONDS)
    assert [type(outcome) for outcome in outcomes] == [Unknown] * 3
    assert len(server.asked) == 1


def test_a_message_that_the_answer_leaves_out_may_have_been_taken(server: Server) -> None:
    server.script = lambda _: Said(Accepted, 200, {"messages": [{"messageId": "2", "status": TAKEN}]})
    left_out = Unknown("the answer leaves it out")
    assert submit(EXAM, server, *THREE) == [left_out, Accepted("2"), left_out]


def test_messages_of_a_batch_are_told_apart_by_our_reference_whatever_the_order(server: Server) -> None:
    said = {"1": TAKEN, "2": BAD_NUMBER, "3": status(5, 10, "REJECTED_DND")}
    listed = [{"messageId": reference, "status": said[reference]} for reference in "312"]
    server.script = lambda _: Said(Accepted, 200, {"messages": listed})
    assert submit(EXAM, server, *THREE) == [
        Accepted("1"), GiveUp("52 REJECTED_INVALID_DESTINATION"), OptedOut("10 REJECTED_DND"),
    ]  # fmt: skip


def look_up(server: Server, script: Script, asked_for: Sequence[str], *, seconds: float = 5.0) -> list[Outcome | None]:
    async def run() -> list[Outcome | None]:
        provider = make(server.url)
        provider._web.timeout_seconds = seconds
        try:
            return await provider.look_up(asked_for)
        finally:
            await provider._web.close()

    server.script = script
    return asyncio.run(run())


def asked_for(asked: Asked) -> list[str]:
    return parse_qs(urlsplit(asked.target).query)["messageId"]


def log(*entries: tuple[str, object]) -> Script:
    listed = [{"messageId": reference, "status": said} for reference, said in entries]
    return lambda _: Said(Accepted, 200, {"results": listed, "cursor": {"limit": 1000}})


@pytest.mark.parametrize(
    ("entries", "became"),
    [
        ([TAKEN], Accepted("41")),
        ([DELIVERED], Accepted("41")),
        ([UNDELIVERED], Accepted("41")),
        ([status(4, 15, "EXPIRED_EXPIRED")], Accepted("41")),
        ([REJECTED], GiveUp("6 REJECTED_NETWORK")),
        ([], GiveUp("the vendor's log does not have it")),
        ([DUPLICATE], None),
        ([DUPLICATE, TAKEN], Accepted("41")),
        ([REJECTED, DUPLICATE], GiveUp("6 REJECTED_NETWORK")),
        ([REJECTED, TAKEN], Accepted("41")),
        ([status(9, 90, "ON_THE_MOON")], None),
        ([None], None),
    ],
)
def test_the_log_tells_what_became_of_a_message(
    entries: Sequence[object], became: Outcome | None, server: Server
) -> None:
    assert look_up(server, log(*(("41", said) for said in entries)), ["41"]) == [became]


def test_the_log_is_asked_for_sixty_at_once_and_twice_a_second_at_the_most(server: Server) -> None:
    ids = [str(10**18 + number) for number in range(150)]

    def answer(asked: Asked) -> Said:
        listed = [{"messageId": each, "status": TAKEN} for each in asked_for(asked) if each[-1] in "02468"]
        return Said(Accepted, 200, {"results": listed[::-1]})

    answers = look_up(server, answer, ids)
    assert [isinstance(each, Accepted) for each in answers] == [True, False] * 75
    first, second, third = sorted(server.asked, key=lambda asked: asked.at)
    assert second.at - first.at >= 0.45
    assert third.at - second.at >= 0.45
    assert [asked_for(asked) for asked in (first, second, third)] == [ids[:60], ids[60:120], ids[120:]]
    queries = [parse_qs(urlsplit(asked.target).query) for asked in server.asked]
    assert all(len(urlsplit(asked.target).query) <= 2048 for asked in server.asked)
    assert all(query["limit"] == ["1000"] for query in queries), "it tells 50 unless it is asked for more"
    assert {urlsplit(asked.target).path for asked in server.asked} == {"/sms/3/logs"}


@pytest.mark.parametrize(
    "said",
    [
        Said(Unknown, 429, headers={"Retry-After": "60"}),
        Said(Unknown, 401),
        Said(Unknown, 404),
        Said(Unknown, 500),
        Said(Unknown, 200, b"\xff{"),
        Said(Unknown, 200, {}),
        Said(Unknown, 200, {"results": {"41": "taken"}}),
        Said(Unknown, 200, {"results": [{"messageId": "999", "status": TAKEN}]}),
        Said(Unknown, 200, {"results": [{"messageId": "41", "status": TAKEN}] * 1000}),
        Mishap.SILENCE,
        Mishap.DROPPED,
        Mishap.CUT,
    ],
)
def test_what_the_log_cannot_tell_now_is_asked_again_later(said: Said | Mishap, server: Server) -> None:
    assert look_up(server, lambda _: said, ["41", "42"], seconds=SHORT_SECONDS) == [None, None]
    assert len(server.asked) == 1


def hook(**headers: str) -> Hook:
    return Hook("POST", DOOR, {name.replace("_", "-"): value for name, value in headers.items()}, b"{}", NOW)


def basic(login: str) -> str:
    return f"Basic {b64encode(login.encode()).decode()}"


def test_a_door_with_a_password_knows_who_has_it() -> None:
    provider = with_options(webhook_basic="infobip:s3:cret")
    provider.verify(hook(authorization=basic("infobip:s3:cret")))
    for forged in (hook(), hook(authorization=basic("infobip:other")), hook(authorization="Ã"), hook(x_token="t")):
        with pytest.raises(Forged) as refused:
            provider.verify(forged)
        assert "s3" not in str(refused.value)


def test_a_door_with_a_header_knows_who_sends_it() -> None:
    provider = with_options(webhook_header="X-Token: s3cret")
    provider.verify(hook(x_token="s3cret"))
    for forged in (hook(), hook(x_token="s3cre"), hook(x_token=""), hook(authorization="s3cret")):
        with pytest.raises(Forged):
            provider.verify(forged)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"url": "abc123"}, "url must be an address"),
        ({"api_key": ""}, "api_key must be given"),
        ({"sender": ""}, "sender must be given"),
        ({"batch_size": 1001}, "batch_size must be a number from 1 to 1000"),
        ({"webhook_basic": "user"}, "webhook_basic must be user:password"),
        ({"webhook_header": "token"}, "webhook_header must be Name: value"),
        ({"webhook_header": "My Name: token"}, "webhook_header must be Name: value"),
        ({"webhook_basic": "u:p", "webhook_header": "A: b"}, "exclude each other"),
        ({"timeout_seconds": 0}, "timeout_seconds is 0"),
    ],
)
def test_options_that_cannot_be_meant_are_told_in_a_sentence(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        with_options(**options)


def test_texts_leave_as_they_are(server: Server) -> None:
    server.script = lambda _: Said(Accepted, 200, each(TAKEN))
    text = "50% & +1 = ✋\nñandú “quoted” 😀"
    submit(EXAM, server, replace(envelope("1"), text=text))
    assert messages(server.asked[0])[0]["content"] == {"text": text}


def test_a_slice_of_two_hundred_and_fifty_makes_three_calls_and_each_is_answered(server: Server) -> None:
    server.script = lambda _: EXAM.accepted
    many = [Envelope(str(number), "sms", f"+2547{number:08}", "Habari") for number in range(1000, 1250)]
    assert submit(EXAM, server, *many) == [Accepted(each.reference) for each in many]
    assert sorted(len(messages(asked)) for asked in server.asked) == [50, 100, 100]
