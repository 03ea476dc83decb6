"""What is Africa's Talking's own: who shares a call, whose answer is whose, its form, its options."""

from dataclasses import replace
from threading import Barrier
from typing import Any
from urllib.parse import parse_qs, parse_qsl

import pytest

from messaging.providers.africas_talking import AfricasTalking
from messaging.providers.base import Accepted, Envelope, GiveUp, OptedOut, StopAll, Unknown
from tests.providers.answers.africas_talking import EXAM, KEY, each, envelope, make, recipient
from tests.providers.exam import Said
from tests.providers.questions import SHORT_SECONDS, TOGETHER_SECONDS, submit
from tests.providers.server import Asked, Mishap, Server

THREE = [envelope(reference) for reference in "123"]


def numbers(asked: Asked) -> list[str]:
    return parse_qs(asked.text)["to"][0].split(",")


def takes_all(asked: Asked) -> Said:
    """Each number is taken, by an id that ends as it does."""
    listed = [{**recipient(number, 101, "Success"), "messageId": f"ATXid_{number[-1]}"} for number in numbers(asked)]
    return Said(Accepted, 201, {"SMSMessageData": {"Recipients": listed}})


def with_options(**options: Any) -> AfricasTalking:
    return AfricasTalking(**{"username": "duka", "api_key": KEY, **options})


def test_one_text_goes_to_all_of_its_recipients_in_one_form(server: Server) -> None:
    server.script = takes_all
    assert submit(EXAM, server, *THREE) == [Accepted("ATXid_1"), Accepted("ATXid_2"), Accepted("ATXid_3")]
    (asked,) = server.asked
    assert (asked.method, asked.target) == ("POST", "/version1/messaging")
    assert asked.headers["apikey"] == KEY
    assert asked.headers["content-type"] == "application/x-www-form-urlencoded"
    assert dict(parse_qsl(asked.text)) == {
        "username": "duka",
        "to": "+254712345671,+254712345672,+254712345673",
        "message": "Habari ya asubuhi",
        "bulkSMSMode": "1",
        "from": "DUKA",
    }


def test_different_texts_are_on_the_wire_together_each_in_a_call_of_its_own(server: Server) -> None:
    together = Barrier(3)

    def answer(asked: Asked) -> Said:
        together.wait(TOGETHER_SECONDS)
        return takes_all(asked)

    server.script = answer
    outcomes = submit(EXAM, server, *(replace(each, text=f"Habari, {each.reference}!") for each in THREE))
    assert outcomes == [Accepted("ATXid_1"), Accepted("ATXid_2"), Accepted("ATXid_3")]
    assert {parse_qs(asked.text)["message"][0]: numbers(asked) for asked in server.asked} == {
        f"Habari, {one.reference}!": [one.to] for one in THREE
    }


def test_a_call_has_no_more_recipients_than_the_option_says(server: Server) -> None:
    server.script = takes_all
    exam = replace(EXAM, make=lambda url: with_options(url=url, batch_size=2))
    submit(exam, server, *(envelope(reference) for reference in "12345"))
    assert sorted(len(numbers(asked)) for asked in server.asked) == [1, 2, 2]


def test_two_messages_to_one_number_are_told_apart_by_their_calls(server: Server) -> None:
    def answer(asked: Asked) -> Said:
        listed = [
            {**recipient(number, 101, "Success"), "messageId": f"ATXid_{len(server.asked)}"}
            for number in numbers(asked)
        ]
        return Said(Accepted, 201, {"SMSMessageData": {"Recipients": listed}})

    server.script = answer
    outcomes = submit(EXAM, server, envelope("1"), replace(envelope("1"), reference="9"))
    assert [numbers(asked) for asked in server.asked] == [["+254712345671"]] * 2
    assert set(outcomes) == {Accepted("ATXid_1"), Accepted("ATXid_2")}


def test_answers_are_matched_by_number_whatever_their_order_or_spelling(server: Server) -> None:
    listed = [
        recipient("254712345673", 403, "InvalidPhoneNumber"),
        recipient("+254712345671", 101, "Success"),
        recipient("254712345672", 406, "UserInBlacklist"),
    ]
    server.script = lambda _: Said(Accepted, 201, {"SMSMessageData": {"Recipients": listed}})
    first, second, third = submit(EXAM, server, *THREE)
    assert first == Accepted("ATXid_1")
    assert second == OptedOut("406 UserInBlacklist")
    assert third == GiveUp("403 InvalidPhoneNumber")


def test_a_number_that_the_answer_leaves_out_may_have_been_sent_to(server: Server) -> None:
    listed = [recipient(one.to, 101, "Success") for one in THREE[:2]]
    server.script = lambda _: Said(Accepted, 201, {"SMSMessageData": {"Recipients": listed}})
    assert submit(EXAM, server, *THREE) == [Accepted("ATXid_1")] * 2 + [Unknown("the answer leaves it out")]


@pytest.mark.parametrize("named", ["None", "", None])
def test_a_number_that_was_taken_without_an_id_has_none(named: str | None, server: Server) -> None:
    listed = [{**recipient(envelope("1").to, 101, "Success"), "messageId": named}]
    server.script = lambda _: Said(Accepted, 201, {"SMSMessageData": {"Recipients": listed}})
    assert submit(EXAM, server, envelope("1")) == [Accepted("")]


def test_silence_leaves_all_of_its_call_unknown_and_costs_the_others_nothing(server: Server) -> None:
    server.script = lambda asked: Mishap.SILENCE if "Habari" in asked.plain else takes_all(asked)
    other = replace(envelope("4"), text="Asante")
    outcomes = submit(EXAM, server, *THREE, other, seconds=SHORT_SECONDS)
    assert [type(outcome) for outcome in outcomes] == [Unknown, Unknown, Unknown, Accepted]
    assert len(server.asked) == 2


@pytest.mark.parametrize(
    "refusal",
    [
        Said(GiveUp, 400, "Request is malformed"),
        Said(GiveUp, 201, {"SMSMessageData": {"Message": "InvalidPhoneNumber", "Recipients": []}}),
    ],
)
def test_a_call_that_is_refused_for_one_bad_number_fails_that_one_alone(refusal: Said, server: Server) -> None:
    server.script = lambda asked: refusal if "+254712345672" in numbers(asked) else takes_all(asked)
    outcomes = submit(EXAM, server, *THREE)
    assert [type(outcome) for outcome in outcomes] == [Accepted, GiveUp, Accepted]
    assert sorted(map(len, map(numbers, server.asked))) == [1, 1, 1, 3]


def test_an_account_that_is_refused_without_recipients_stops_all_at_once(server: Server) -> None:
    empty = {"SMSMessageData": {"Message": "InvalidSenderId", "Recipients": []}}
    server.script = lambda _: Said(StopAll, 201, empty)
    assert submit(EXAM, server, *THREE) == [StopAll("InvalidSenderId")] * 3
    assert len(server.asked) == 1


def test_the_sandbox_has_an_address_and_a_username_of_its_own() -> None:
    assert with_options().url == "https://api.africastalking.com/version1/messaging"
    sandbox = with_options(username="sandbox", sandbox=True)
    assert sandbox.url == "https://api.sandbox.africastalking.com/version1/messaging"


def test_the_sender_and_the_queue_of_the_vendor_are_named_only_where_they_are_wanted(server: Server) -> None:
    server.script = takes_all
    submit(replace(EXAM, make=lambda url: with_options(url=url)), server, envelope("1"))
    submit(replace(EXAM, make=lambda url: with_options(url=url, enqueue=True)), server, envelope("1"))
    plain, queued = (dict(parse_qsl(asked.text)) for asked in server.asked)
    assert "from" not in plain
    assert "enqueue" not in plain
    assert queued["enqueue"] == "1"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"username": ""}, "username must be given"),
        ({"api_key": "two words"}, "api_key must be given, in one word"),
        ({"sandbox": True}, "sandbox goes with the username sandbox"),
        ({"username": "sandbox"}, "sandbox goes with the username sandbox"),
        ({"url": "api.example.com"}, "url must be an address"),
        ({"batch_size": 0}, "batch_size must be a number from 1 to 1000"),
        ({"in_flight": 0}, "in_flight is 0"),
    ],
)
def test_options_that_cannot_be_meant_are_told_in_a_sentence(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        with_options(**options)


def test_texts_leave_as_they_are(server: Server) -> None:
    server.script = lambda _: Said(Accepted, 201, each(101, "Success"))
    text = "50% & +1 = ✋\nñandú “quoted” 😀"
    submit(EXAM, server, replace(envelope("1"), text=text))
    assert parse_qs(server.asked[0].text)["message"] == [text]


def test_a_slice_of_a_hundred_and_twenty_makes_three_calls_and_each_is_answered(server: Server) -> None:
    server.script = lambda _: Said(Accepted, 201, each(101, "Success"))
    many = [Envelope(str(number), "sms", f"+2547{number:08}", "Habari") for number in range(120)]
    assert submit(EXAM, server, *many) == [Accepted("ATXid_1")] * 120
    assert sorted(map(len, map(numbers, server.asked))) == [20, 50, 50]
    assert make(server.url).capabilities.channels == {"sms"}
