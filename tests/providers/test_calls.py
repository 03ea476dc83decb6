"""Which messages go together in a call, and what becomes of them when it is refused whole."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging.providers import calls
from messaging.providers.base import Accepted, Envelope, GiveUp, Outcome, SlowDown, StopAll, TryLater, Unknown
from messaging.providers.calls import Refused, by_status, check_size, check_word, together
from messaging.providers.pacing import TOGETHER_SECONDS
from messaging.providers.web import Heard

NOW = 1_000.0
MOST = 3


def envelope(number: int, at: float = 0.0, text: str = "Hi") -> Envelope:
    return Envelope(str(number), "sms", f"+2547000000{number:02}", text, not_before=at)


MOMENTS = st.sampled_from([0.0, NOW - 1, NOW, NOW + 0.019, NOW + 0.03, NOW + 0.5])
envelopes = st.lists(st.builds(envelope, st.integers(0, 9), MOMENTS, st.sampled_from("ab")), max_size=20)


@given(envelopes)
def test_every_message_is_in_one_call_with_its_like_of_its_moment_and_no_number_twice(given: list[Envelope]) -> None:
    groups = together(given, NOW, most=MOST, alike=lambda each: each.text)
    assert sorted(place for group in groups for place in group) == list(range(len(given)))
    for group in groups:
        members = [given[place] for place in group]
        due = [max(each.not_before, NOW) for each in members]
        assert len(members) <= MOST
        assert len({each.text for each in members}) == 1
        assert len({each.to for each in members}) == len(members)
        assert max(due) - min(due) <= TOGETHER_SECONDS


def test_what_is_due_already_makes_as_few_calls_as_it_can() -> None:
    due = [envelope(number, at=NOW - number) for number in range(7)]
    assert [len(group) for group in together(due, NOW, most=MOST, alike=lambda _: None)] == [3, 3, 1]


def test_messages_a_hundredth_of_a_second_apart_share_a_call_and_a_tenth_apart_do_not() -> None:
    close = [envelope(number, at=NOW + number * 0.01) for number in range(6)]
    apart = [envelope(number, at=NOW + number * 0.1) for number in range(3)]
    assert together(close, NOW, most=50, alike=lambda _: None) == [[0, 1, 2], [3, 4, 5]]
    assert together(apart, NOW, most=50, alike=lambda _: None) == [[0], [1], [2]]


def submit(given: Sequence[Envelope], call: calls.Call) -> list[Outcome]:
    return asyncio.run(calls.submit(given, most=MOST, alike=lambda each: each.text, call=call))


def test_outcomes_come_back_in_the_order_of_the_messages_whatever_was_called_with_what() -> None:
    async def call(given: Sequence[Envelope], _: float) -> list[Outcome]:
        await asyncio.sleep(0.01 * (len(given) % 2))
        return [Accepted(each.reference) for each in given]

    given = [envelope(number, text="ab"[number % 2]) for number in range(9)]
    assert submit(given, call) == [Accepted(str(number)) for number in range(9)]


def test_a_call_leaves_when_the_last_of_it_may() -> None:
    left: dict[str, float] = {}

    async def call(given: Sequence[Envelope], leaves_at: float) -> list[Outcome]:
        left.update({each.reference: leaves_at for each in given})
        return [Accepted()] * len(given)

    async def run() -> float:
        now = asyncio.get_running_loop().time() + 5
        given = [envelope(1, now), envelope(2, now + 0.015), envelope(3, now + 1)]
        await calls.submit(given, most=MOST, alike=lambda _: None, call=call)
        return now

    now = asyncio.run(run())
    assert left == {"1": now + 0.015, "2": now + 0.015, "3": now + 1}


def test_a_call_refused_whole_is_made_again_by_each_alone_and_only_once() -> None:
    asked: list[list[str]] = []

    async def call(given: Sequence[Envelope], _: float) -> list[Outcome] | Refused:
        asked.append([each.reference for each in given])
        bad = any(each.reference == "2" for each in given)
        return Refused(GiveUp("HTTP 400")) if bad else [Accepted(each.reference) for each in given]

    given = [envelope(number) for number in (1, 2, 3, 4)]
    assert submit(given, call) == [Accepted("1"), GiveUp("HTTP 400"), Accepted("3"), Accepted("4")]
    assert sorted(asked) == [["1"], ["1", "2", "3"], ["2"], ["3"], ["4"]]


@pytest.mark.parametrize("said", [SlowDown("HTTP 429"), TryLater("HTTP 503"), StopAll("HTTP 401"), Unknown("HTTP 500")])
def test_what_befalls_a_call_without_refusing_it_is_asked_once(said: Outcome) -> None:
    asked: list[int] = []

    async def call(given: Sequence[Envelope], _: float) -> Sequence[Outcome] | Refused:
        asked.append(len(given))
        return calls.for_each(given, said)

    assert submit([envelope(number) for number in range(3)], call) == [said] * 3
    assert asked == [3]


@pytest.mark.parametrize(
    ("status", "means"),
    [
        (200, Unknown("HTTP 200")), (201, Unknown("HTTP 201")), (301, Unknown("HTTP 301")),
        (400, Refused(GiveUp("HTTP 400"))), (401, StopAll("HTTP 401")), (403, StopAll("HTTP 403")),
        (404, StopAll("HTTP 404")), (409, Refused(GiveUp("HTTP 409"))), (422, Refused(GiveUp("HTTP 422"))),
        (429, SlowDown("HTTP 429", 7.0)), (500, Unknown("HTTP 500")), (502, Unknown("HTTP 502")),
        (503, TryLater("HTTP 503")), (504, Unknown("HTTP 504")),
    ],
)  # fmt: skip
def test_only_what_was_certainly_not_taken_may_be_repeated(status: int, means: object) -> None:
    assert by_status(Heard(status, {"retry-after": "7"})) == means


def test_a_code_that_may_hold_a_phone_is_not_repeated() -> None:
    said = by_status(Heard(400), "+254712345678")
    assert isinstance(said, Refused)
    assert "254712345678" not in str(said.outcome)


@pytest.mark.parametrize("size", [0, -1, 51, 2.5, "50", True, None])
def test_a_batch_size_that_cannot_be_meant_is_told_by_its_name(size: Any) -> None:
    with pytest.raises(ValueError, match=r"^batch_size must be a number from 1 to 50$"):
        check_size("batch_size", size, most=50)


@pytest.mark.parametrize("word", ["", "two words", "line\n", "clé", None, 7])
def test_a_key_that_no_header_can_hold_is_told_by_its_name_and_not_repeated(word: Any) -> None:
    with pytest.raises(ValueError, match=r"^api_key must be given, in one word of ASCII$"):
        check_word("api_key", word)


def test_the_second_message_to_one_number_begins_the_next_call() -> None:
    twice = [envelope(1), replace(envelope(2), to=envelope(1).to), envelope(3)]
    assert together(twice, NOW, most=MOST, alike=lambda _: None) == [[0], [1, 2]]
