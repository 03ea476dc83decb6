"""What breaks for one message costs no other its outcome, and nothing leaves when nobody listens any more."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from messaging.providers import abreast
from messaging.providers.base import Accepted, Envelope, Outcome, Unknown
from messaging.providers.pacing import paced
from messaging.providers.sns import Publisher
from messaging.providers.web import Web
from tests.providers.exam import Exam, Said
from tests.providers.questions import submit
from tests.providers.server import Asked, Server
from tests.providers.test_exam import EXAMS

APART_SECONDS = 0.1
BROKEN = "RuntimeError"


def envelope(number: int, at: float = 0.0) -> Envelope:
    return Envelope(str(number), "sms", f"+2547000000{number:02}", "Hi", not_before=at)


async def breaks_for_the_second(given: Envelope) -> Outcome:
    if given.reference == "2":
        raise RuntimeError("+254700000002 has a field that nobody thought of")
    await asyncio.sleep(0.05)
    return Accepted(given.reference)


def broken_at_the_second_call(method: Any) -> Any:
    """The method of an adapter's client, in which a mistake of ours shows at the second call, before it leaves."""
    calls: list[None] = []

    async def call(*args: Any, **named: Any) -> Any:
        calls.append(None)
        if len(calls) == 2:
            raise RuntimeError("a mistake")
        return await method(*args, **named)

    return call


@pytest.mark.parametrize("name", sorted(EXAMS))
def test_a_mistake_in_an_adapter_costs_one_message_its_outcome_and_no_other(
    name: str, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The three leave one after the other, so that adapters that call for several together call for each."""
    exam: Exam = EXAMS[name]
    for client, method in ((Web, "call"), (Publisher, "publish")):
        monkeypatch.setattr(client, method, broken_at_the_second_call(getattr(client, method)))

    def answer(_: Asked) -> Said:
        time.sleep(APART_SECONDS / 2)
        return exam.accepted

    server.script = answer
    now = time.monotonic()
    envelopes = [replace(exam.envelope(str(n)), not_before=now + APART_SECONDS * n) for n in range(1, 4)]

    outcomes = submit(exam, server, *envelopes)

    assert isinstance(outcomes[1], Unknown)
    assert [BROKEN in getattr(outcome, "error", "") for outcome in outcomes] == [False, True, False]
    assert len(server.asked) == 2, "both others had left and were answered when it came back"


def test_the_others_outcomes_stay_in_their_order() -> None:
    given = [envelope(number) for number in (1, 2, 3)]
    assert asyncio.run(abreast.each(given, breaks_for_the_second)) == [
        Accepted("1"),
        Unknown("the adapter failed: RuntimeError"),
        Accepted("3"),
    ]


def test_what_is_told_of_a_mistake_holds_none_of_its_words() -> None:
    (outcome,) = asyncio.run(abreast.each([envelope(2)], breaks_for_the_second))
    assert "254700000002" not in str(outcome)


def test_a_mistake_in_one_of_several_calls_costs_those_of_that_call() -> None:
    async def call(group: Sequence[Envelope]) -> Sequence[Outcome]:
        return [await breaks_for_the_second(each) for each in group]

    now = time.monotonic()
    given = [envelope(1, now), envelope(2, now + APART_SECONDS), envelope(3, now + 2 * APART_SECONDS)]
    outcomes = asyncio.run(paced(given, call))
    assert [type(outcome) for outcome in outcomes] == [Accepted, Unknown, Accepted]


def test_a_call_that_does_not_answer_for_every_message_costs_only_its_own() -> None:
    async def call(group: Sequence[Envelope]) -> Sequence[Outcome]:
        return [Accepted(each.reference) for each in group if each.reference != "2"]

    pair, other = [envelope(1), envelope(2)], [envelope(3)]
    lacking = Unknown("the adapter did not answer for every message")
    assert asyncio.run(abreast.groups([pair, other], call)) == [[lacking, lacking], [Accepted("3")]]


def test_a_time_out_ends_all_of_them() -> None:
    left: list[str] = []

    async def leave(given: Envelope) -> Outcome:
        await asyncio.sleep(given.not_before)
        left.append(given.reference)
        return Accepted()

    async def run() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await abreast.each([envelope(1), envelope(2, 0.2)], leave)
        await asyncio.sleep(0.3)

    asyncio.run(run())
    assert left == ["1"]
