"""The exam itself: an adapter that does a thing wrong fails the question about it, so no question is passed by all."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from messaging.providers.base import (
    Accepted,
    Envelope,
    GiveUp,
    Hook,
    Malformed,
    Outcome,
    Receipt,
    Reply,
    SlowDown,
    Unknown,
)
from messaging.providers.http import Http
from tests.providers import door_questions, questions
from tests.providers.answers.http import EXAM, make
from tests.providers.exam import Exam
from tests.providers.server import Server


@dataclass
class Wrapped:
    """The generic adapter with one thing done wrong."""

    of: Http
    spoil: Callable[[list[Outcome], Sequence[Envelope]], list[Outcome]]
    times: int = 1

    def __post_init__(self) -> None:
        self.capabilities = self.of.capabilities
        self.web = self.of._web

    async def submit(self, envelopes: Sequence[Envelope]) -> list[Outcome]:
        for _ in range(self.times):
            outcomes = await self.of.submit(envelopes)
        return self.spoil(outcomes, envelopes)


class Early(Http):
    async def submit(self, envelopes: Sequence[Envelope]) -> list[Outcome]:
        return await super().submit([replace(each, not_before=0.0) for each in envelopes])


class Mumbling(Http):
    async def submit(self, envelopes: Sequence[Envelope]) -> list[Outcome]:
        return await super().submit([replace(each, text="Mmm") for each in envelopes])


class InTurn(Http):
    async def submit(self, envelopes: Sequence[Envelope]) -> list[Outcome]:
        return [outcome for each in envelopes for outcome in await Http.submit(self, [each])]


class Credulous(Http):
    def verify(self, hook: Hook) -> None:
        return


class Guessing(Http):
    def read(self, hook: Hook) -> Sequence[Receipt | Reply]:
        return super().read(hook) or [Receipt("delivered", hook.received_at, reference="1")]


class Forgiving(Http):
    def read(self, hook: Hook) -> Sequence[Receipt | Reply]:
        try:
            return super().read(hook)
        except Malformed:
            return []


def spoilt(spoil: Callable[[list[Outcome], Sequence[Envelope]], list[Outcome]], times: int = 1) -> Exam:
    return replace(EXAM, make=lambda url: Wrapped(make(url), spoil, times))


def as_(kind: type[Http]) -> Exam:
    """The vendor of the exam, reached by an adapter of this kind."""

    def made(url: str) -> Http:
        adapter = make(url)
        adapter.__class__ = kind
        return adapter

    return replace(EXAM, make=made)


def always(outcome: Outcome) -> Callable[[list[Outcome], Sequence[Envelope]], list[Outcome]]:
    return lambda _, envelopes: [outcome] * len(envelopes)


def telling(outcomes: list[Outcome], envelopes: Sequence[Envelope]) -> list[Outcome]:
    return [each if isinstance(each, Accepted) else replace(each, error=f"{each.error} {envelopes[0].to}")
            for each in outcomes]  # fmt: skip


@pytest.mark.parametrize(
    ("exam", "name"),
    [
        (spoilt(always(Accepted("other"))), "accepted"),
        (spoilt(lambda outcomes, _: outcomes, times=2), "accepted"),
        (as_(Mumbling), "accepted"),
        (spoilt(always(SlowDown("slow"))), "throttled"),
        (spoilt(always(GiveUp("no"))), "server_error"),
        (spoilt(always(Accepted())), "garbage"),
        (spoilt(always(Unknown("?"))), "unknown_code"),
        (spoilt(always(GiveUp("no"))), "wrong_credentials"),
        (replace(EXAM, secrets=[]), "wrong_credentials"),
        (spoilt(always(GiveUp("no"))), "silence"),
        (spoilt(lambda outcomes, _: outcomes, times=2), "dropped"),
        (spoilt(always(GiveUp("no"))), "cut"),
        (spoilt(always(Unknown("?"))), "refused"),
        (spoilt(lambda outcomes, _: [*outcomes[:2], Accepted()]), "in_order"),
        (spoilt(lambda outcomes, _: outcomes[:1]), "in_order"),
        (spoilt(lambda outcomes, _: outcomes[1:] + outcomes[:1]), "one_bad"),
        (spoilt(telling), "throttled"),
        (spoilt(telling), "wrong bad number"),
        (as_(Early), "paced"),
        (as_(InTurn), "one_bad"),
        (spoilt(always(Accepted())), "redirect"),
        (spoilt(always(Accepted())), "another"),
    ],
)
def test_an_adapter_that_does_it_wrong_fails(
    exam: Exam, name: str, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(questions, "TOGETHER_SECONDS", 0.5)
    (question,) = [each for title, each in questions.questions(exam) if title == name]
    with pytest.raises(AssertionError):
        question(exam, server)


@pytest.mark.parametrize(
    ("kind", "name"), [(Credulous, "forged"), (Guessing, "unknown_status"), (Forgiving, "malformed 1")]
)
def test_a_door_that_does_it_wrong_fails(kind: type[Http], name: str) -> None:
    exam = as_(kind)
    assert exam.door
    (question,) = [each for title, each in door_questions.questions(exam.door) if title == name]
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        question(exam.make("http://127.0.0.1:9"), exam.door)


def test_a_receipt_that_reads_otherwise_fails() -> None:
    assert EXAM.door
    heard: Any = EXAM.door.receipts["sent"]
    with pytest.raises(AssertionError):
        door_questions.reads(replace(heard, says=[]))(make("http://127.0.0.1:9"), EXAM.door)
