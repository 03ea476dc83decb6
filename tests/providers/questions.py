"""What every adapter is asked about the messages that it submits, each with the vendor's server at hand."""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from threading import Barrier

from messaging import providers
from messaging.providers.base import (
    Accepted,
    Envelope,
    GiveUp,
    LooksUp,
    Outcome,
    Provider,
    SlowDown,
    StopAll,
    TryLater,
    Unknown,
)
from messaging.providers.sns import Publisher
from messaging.providers.web import Web
from tests.providers.exam import Exam, Said
from tests.providers.server import Asked, Mishap, Server

Question = Callable[[Exam, Server], None]
SHORT_SECONDS = 0.3
PACE_SECONDS = 0.25
TOGETHER_SECONDS = 10.0


def questions(exam: Exam) -> Iterator[tuple[str, Question]]:
    """The name of each question for this adapter, and the question."""
    yield from {
        "accepted": is_accepted, "throttled": is_throttled, "server_error": _answers(exam.server_error),
        "garbage": _answers(exam.garbage), "unknown_code": is_kept_raw, "wrong_credentials": stops_all,
        "silence": waits_no_longer_than_it_says, "dropped": never_asks_twice, "cut": takes_half_an_answer,
        "refused": is_tried_later, "one_bad": fails_one_alone, "in_order": answers_for_each,
        "paced": leaves_at_its_time, "redirect": follows_nobody,
    }.items()  # fmt: skip
    yield from ((f"wrong {name}", _answers(said)) for name, said in exam.wrong.items())
    if exam.another:
        yield "another", says_nothing_of_ours


def submit(exam: Exam, server: Server, *envelopes: Envelope, seconds: float = 0.0) -> list[Outcome]:
    """What the adapter makes of these, one call; with `seconds` it waits no longer for an answer."""
    outcomes = asyncio.run(_submit(exam.make(server.url), [envelopes], seconds))
    _is_fit_to_be_seen(exam, envelopes, outcomes)
    return outcomes


async def _submit(provider: Provider, calls: Sequence[Sequence[Envelope]], seconds: float) -> list[Outcome]:
    """The outcomes of the last call."""
    webs = [each for each in vars(provider).values() if isinstance(each, Web | Publisher)]
    assert webs or not seconds, "an adapter speaks through messaging.providers.web.Web"
    for web in webs:
        web.timeout_seconds = seconds or web.timeout_seconds
    outcomes: list[Outcome] = []
    try:
        for envelopes in calls:
            outcomes = await provider.submit(envelopes)
    finally:
        for web in webs:
            await web.close()
    return outcomes


def _is_fit_to_be_seen(exam: Exam, envelopes: Sequence[Envelope], outcomes: Sequence[Outcome]) -> None:
    assert len(outcomes) == len(envelopes)
    hidden = [*exam.secrets, *(envelope.to.lstrip("+") for envelope in envelopes), *(each.text for each in envelopes)]
    assert "" not in hidden
    for outcome in outcomes:
        assert providers._is_sound(outcome), outcome
        error = "" if isinstance(outcome, Accepted) else outcome.error
        assert not any(word in error for word in hidden), "errors hold no phone, no text and no credentials"


def ask(exam: Exam, server: Server, said: Said) -> Outcome:
    """The outcome of one message that is answered with this, asked exactly once."""
    server.script = lambda _: said
    (outcome,) = submit(exam, server, exam.envelope("1"))
    assert len(server.asked) == 1, "what was answered is not asked again"
    assert type(outcome) is said.outcome, outcome
    assert said.error in getattr(outcome, "error", "")
    return outcome


def is_accepted(exam: Exam, server: Server) -> None:
    """Taken, by the vendor's id, and the vendor was told for whom it is and what it says."""
    provider, envelope = exam.make(server.url), exam.envelope("1")
    assert envelope.channel in provider.capabilities.channels
    assert isinstance(provider, LooksUp) or not provider.capabilities.looks_up
    assert exam.accepted.outcome is Accepted
    assert ask(exam, server, exam.accepted) == Accepted(exam.accepted_id)
    assert envelope.to.lstrip("+") in server.asked[0].plain
    assert (envelope.template.name if envelope.template else envelope.text) in server.asked[0].plain


def is_throttled(exam: Exam, server: Server) -> None:
    """Slowed down, for as long as the vendor says where it does."""
    outcome = ask(exam, server, exam.throttled)
    assert isinstance(outcome, SlowDown)
    if exam.throttled_for is not None:
        server.asked.clear()
        told = ask(exam, server, exam.throttled_for)
        assert isinstance(told, SlowDown)
        assert told.seconds == 7.0


def _answers(said: Said) -> Question:
    def question(exam: Exam, server: Server) -> None:
        ask(exam, server, said)

    return question


def is_kept_raw(exam: Exam, server: Server) -> None:
    """A code that no table has is for people to read."""
    assert exam.unknown_code.error, "the table says which code"
    ask(exam, server, exam.unknown_code)


def stops_all(exam: Exam, server: Server) -> None:
    """Nothing else would be accepted either."""
    assert exam.secrets, "the exam names the credentials that no error may hold"
    assert isinstance(ask(exam, server, exam.wrong_credentials), StopAll)


def waits_no_longer_than_it_says(exam: Exam, server: Server) -> None:
    """Nobody knows what a silent vendor took."""
    server.script = lambda _: Mishap.SILENCE
    began = time.monotonic()
    (outcome,) = submit(exam, server, exam.envelope("1"), seconds=SHORT_SECONDS)
    assert isinstance(outcome, Unknown), outcome
    assert time.monotonic() - began < 10 * SHORT_SECONDS
    assert len(server.asked) == 1


def never_asks_twice(exam: Exam, server: Server) -> None:
    """A connection that breaks may have carried it: also one that had been used before, where some clients repeat."""
    server.script = lambda _: exam.accepted if len(server.asked) == 1 else Mishap.DROPPED
    calls = [[exam.envelope("1")], [exam.envelope("2")]]
    (outcome,) = asyncio.run(_submit(exam.make(server.url), calls, 0.0))
    assert isinstance(outcome, Unknown), outcome
    assert len(server.asked) == 2


def takes_half_an_answer(exam: Exam, server: Server) -> None:
    """An answer that breaks off never says that it may be repeated."""
    server.script = lambda _: Mishap.CUT
    (outcome,) = submit(exam, server, exam.envelope("1"))
    assert isinstance(outcome, Accepted | Unknown), outcome


def is_tried_later(exam: Exam, server: Server) -> None:
    """Nothing left us when the connection was refused."""
    server.close()
    (outcome,) = submit(exam, server, exam.envelope("1"))
    assert isinstance(outcome, TryLater), outcome


def fails_one_alone(exam: Exam, server: Server) -> None:
    """One bad number costs its neighbours nothing; those of a vendor that takes one a call are on the wire together."""
    envelopes = [exam.envelope(reference) for reference in "123"]
    if exam.one_bad:
        server.script = lambda _: exam.one_bad or exam.accepted
        bad = exam.one_bad
    else:
        envelopes = [replace(each, to=f"{each.to[:-1]}{digit}") for digit, each in enumerate(envelopes)]
        bad = next(said for said in exam.wrong.values() if said.outcome is GiveUp)
        together = Barrier(3)

        def answer(asked: Asked) -> Said:
            together.wait(TOGETHER_SECONDS)
            return bad if envelopes[1].to.lstrip("+") in asked.plain else exam.accepted

        server.script = answer
    outcomes = submit(exam, server, *envelopes)
    assert [type(each) for each in outcomes] == [Accepted, bad.outcome, Accepted]


def answers_for_each(exam: Exam, server: Server) -> None:
    """What befalls a whole call befalls each of its messages."""
    for said in (exam.throttled, exam.server_error, exam.wrong_credentials):
        server.script = lambda _, said=said: said  # type: ignore[misc]
        outcomes = submit(exam, server, *(exam.envelope(reference) for reference in "123"))
        assert [type(each) for each in outcomes] == [said.outcome] * 3


def leaves_at_its_time(exam: Exam, server: Server) -> None:
    """An adapter that says it paces waits."""
    if not exam.make(server.url).capabilities.paces:
        return
    server.script = lambda _: exam.accepted
    due = time.monotonic() + PACE_SECONDS
    submit(exam, server, replace(exam.envelope("1"), not_before=due))
    assert server.asked[0].at >= due - 0.01


def follows_nobody(exam: Exam, server: Server) -> None:
    """Who answers with a redirect may have taken it: it is never carried elsewhere."""
    server.script = lambda _: Said(Unknown, 307, headers={"Location": "/elsewhere"})
    (outcome,) = submit(exam, server, exam.envelope("1"))
    assert isinstance(outcome, Unknown), outcome
    assert len(server.asked) == 1


def says_nothing_of_ours(exam: Exam, server: Server) -> None:
    """An answer that names another message is a late one to an earlier request."""
    assert exam.another
    assert exam.another.outcome is Unknown
    ask(exam, server, exam.another)
