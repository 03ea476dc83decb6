"""The limiter of an account: what it lets out, how it shares, and that it changes while it runs."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise

import pytest
from django.db import OperationalError, connections
from pytest_django import Settings

from messaging import bells, delivery, leases, providers, senders, throttle, trial
from messaging.models import OutboundMessage, Sender, SenderState
from messaging.providers.base import Accepted, Envelope, Outcome, SlowDown
from messaging.providers.memory import Memory
from messaging.seats import Seats
from messaging.throttle import Grant, acquire, acquire_urgently, give_back
from tests import factories
from tests.messaging.driving import deliver_due, sending_campaign

NEVER = threading.Event()


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    throttle.forget()
    yield
    throttle.forget()


def limit(rate: float | None) -> None:
    Sender.objects.update_or_create(alias="memory", defaults={"rate": rate})


def grant(most: int = 500, seconds: float = 1.0) -> Grant:
    given = acquire("memory", most, seconds=seconds, stopping=NEVER)
    assert given is not None
    return given


def until(happens: Callable[[], bool]) -> None:
    ends = time.monotonic() + 10
    while not happens():
        assert time.monotonic() < ends
        time.sleep(0.01)


def ahead() -> float:
    """How many seconds the account is busy with what was let out."""
    return throttle._wait_seconds("memory")


@pytest.mark.django_db
def test_an_account_without_a_rate_has_no_limit() -> None:
    given = grant()
    assert given.parts is None
    assert given.quota == float("inf")
    assert given.call_at <= time.monotonic()


@pytest.mark.django_db
@pytest.mark.parametrize(("rate", "parts"), [(0.5, 1), (49, 1), (500, 10), (5_000, 100), (1_000_000, 500)])
def test_a_grant_is_no_more_than_the_rate_gives_in_a_blink_and_at_least_one_part(rate: float, parts: int) -> None:
    limit(rate)
    assert grant().parts == parts


@pytest.mark.django_db
@pytest.mark.parametrize(("rate", "parts"), [(0.5, 1), (50, 12), (500, 100)])
def test_who_hands_over_evenly_gets_a_quarter_of_a_second_at_once(rate: float, parts: int) -> None:
    limit(rate)
    given = acquire("memory", 100, seconds=1, stopping=NEVER, paced=True)
    assert given is not None
    assert given.parts == parts
    assert given.spacing * rate * throttle.SHARE == pytest.approx(1)


@pytest.mark.django_db
def test_messages_are_spaced_by_their_parts(outbox: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "capabilities", replace(outbox.capabilities, paces=True))
    limit(100)
    sending_campaign(4, base_template="x" * 161)
    deliver_due()
    begins = [envelope.not_before for envelope in outbox.outbox]
    assert [late - early for early, late in pairwise(begins)] == pytest.approx([2 / (100 * throttle.SHARE)] * 3)


@pytest.mark.django_db
def test_what_was_let_out_is_worked_off_at_a_little_less_than_the_rate() -> None:
    limit(10)
    grant()
    assert 0.09 < ahead() <= 1 / (10 * throttle.SHARE)


@pytest.mark.django_db
def test_a_message_of_more_parts_than_were_granted_is_worked_off_in_full() -> None:
    limit(10)
    given = grant()
    assert given.parts == 1
    give_back("memory", given, used=6)
    assert 0.5 < ahead() <= 6 / (10 * throttle.SHARE)


@pytest.mark.django_db
def test_what_was_not_used_is_given_back() -> None:
    limit(10)
    give_back("memory", grant(), used=0)
    assert ahead() <= 0


@pytest.mark.django_db
def test_nothing_comes_within_the_patience_while_the_account_is_busy() -> None:
    limit(0.5)
    grant()
    began = time.monotonic()
    assert acquire("memory", 1, seconds=0.1, stopping=NEVER) is None
    assert 0.09 < time.monotonic() - began < 1


@pytest.mark.django_db
def test_a_worker_that_is_told_to_stop_does_not_wait() -> None:
    limit(0.5)
    grant()
    stopping = threading.Event()
    threading.Timer(0.05, stopping.set).start()
    began = time.monotonic()
    assert acquire("memory", 1, seconds=30, stopping=stopping) is None
    assert time.monotonic() - began < 5


@pytest.mark.django_db
def test_a_new_rate_holds_at_once() -> None:
    limit(500)
    assert grant().parts == 10
    limit(5_000)
    assert grant().parts == 100
    limit(None)
    assert grant().parts is None


@pytest.mark.django_db
def test_a_limit_set_on_an_account_without_one_is_believed_within_two_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    assert throttle.BELIEF_SECONDS < 2
    monkeypatch.setattr(throttle, "BELIEF_SECONDS", 0.05)
    assert grant().parts is None
    limit(5)
    time.sleep(0.06)
    assert grant().parts == 1


@pytest.mark.django_db
def test_the_rate_of_the_settings_counts_where_the_admin_gives_none(settings: Settings) -> None:
    settings.MESSAGE_PROVIDERS = {"memory": {"BACKEND": "messaging.providers.memory.Memory", "RATE": 500}}
    assert grant().parts == 10
    assert {each.alias: each.rate for each in senders.standings()}["memory"] == 500
    limit(None)
    assert grant().parts == 10
    limit(50)
    assert grant().parts == 1
    assert {each.alias: each.rate for each in senders.standings()}["memory"] == 50


@pytest.mark.django_db
def test_a_campaigns_fair_turn_is_a_tenth_of_a_second_of_the_rate() -> None:
    limit(500)
    assert grant().quota == 50
    limit(1)
    assert grant().quota == 1


@pytest.mark.django_db
def test_the_call_comes_a_constant_while_after_the_grant() -> None:
    limit(500)
    given = grant()
    assert given.call_at == given.at + throttle.CALL_AFTER_SECONDS


def ask_from_all_sides(threads: int, seconds: float) -> list[int]:
    """What each grant gave to so many threads that asked for so long."""
    ends = time.monotonic() + seconds

    def work(_: int) -> list[int]:
        given = []
        try:
            while time.monotonic() < ends:
                one = acquire("memory", 500, seconds=0.5, stopping=NEVER)
                if one is not None:
                    assert one.parts is not None
                    given.append(one.parts)
        finally:
            connections.close_all()
        return given

    with ThreadPoolExecutor(threads) as pool:
        return [parts for given in pool.map(work, range(threads)) for parts in given]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("threads", [1, 6])
def test_however_many_ask_together_they_get_the_rate(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    limit(200)
    began = time.monotonic()
    given = ask_from_all_sides(threads, 1.5)
    took = time.monotonic() - began
    assert sum(given) <= 200 * (took + throttle.QUANTUM_SECONDS + throttle.TOLERANCE_SECONDS)
    assert sum(given) >= 100  # however slow the machine


@pytest.mark.django_db(transaction=True)
def test_one_thread_waits_for_a_slow_account_and_leaves_the_others_to_everybody_else(outbox: Memory) -> None:
    limit(1)
    grant()
    sending_campaign(3)

    def wait_for_one() -> None:
        try:
            grant(seconds=20)
        finally:
            connections.close_all()

    waiting = threading.Thread(target=wait_for_one)
    waiting.start()
    until(lambda: list(throttle.awaited()) == ["memory"])

    begun = time.monotonic()
    assert acquire("memory", 1, seconds=20, stopping=NEVER) is None
    with Seats(8).lease() as lease:
        assert lease is None
    assert time.monotonic() - begun < 0.5

    waiting.join()
    assert list(throttle.awaited()) == []
    with Seats(8).lease() as lease:
        assert lease is not None


@pytest.mark.django_db
def test_who_waited_long_and_alone_rings_for_a_successor(outbox: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    rung: list[int] = []
    monkeypatch.setattr(bells, "ring_delivery", lambda *_, **__: rung.append(len(outbox.outbox)))
    limit(2)
    grant()
    sending_campaign(1)
    rung.clear()
    deliver_due()
    assert rung == [0]


@pytest.mark.django_db(transaction=True)
def test_a_test_overtakes_what_waits() -> None:
    limit(2)
    grant()
    bulk: list[float] = []

    def wait_for_three() -> None:
        try:
            for _ in range(3):
                assert acquire("memory", 1, seconds=20, stopping=NEVER)
                bulk.append(time.monotonic())
        finally:
            connections.close_all()

    waiting = threading.Thread(target=wait_for_three)
    waiting.start()
    time.sleep(0.1)
    assert acquire_urgently("memory", 1, seconds=5)
    overtook = time.monotonic()
    waiting.join()
    assert all(at > overtook for at in bulk)
    assert SenderState.objects.get(pk="memory").urgent_until is None


@pytest.mark.django_db
def test_a_test_that_cannot_go_in_time_says_so() -> None:
    limit(0.1)
    grant()
    assert not acquire_urgently("memory", 1, seconds=0.05)


@pytest.mark.django_db
def test_a_test_whose_caller_died_holds_the_others_up_for_a_second_only() -> None:
    limit(50)
    grant()
    assert not acquire_urgently("memory", 1, seconds=-1)
    assert acquire_urgently("memory", 1, seconds=1)
    SenderState.objects.filter(pk="memory").update(urgent_until=None)
    assert grant().parts == 1


@pytest.mark.django_db
def test_a_slice_holds_no_more_parts_than_were_granted(outbox: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    limit(250)
    sending_campaign(7, base_template="x" * 161)
    slices = record_slices(outbox, monkeypatch)
    deliver_due()
    assert slices == [[2, 2], [2, 2], [2, 2], [2]]


@pytest.mark.django_db
def test_a_message_longer_than_any_grant_goes_out_all_the_same(outbox: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    limit(50)
    sending_campaign(2, base_template="x" * 400)
    slices = record_slices(outbox, monkeypatch)
    deliver_due()
    assert slices == [[3], [3]]


@pytest.mark.django_db
def test_campaigns_share_a_limited_account_by_their_weights(outbox: Memory) -> None:
    limit(100)
    light, heavy = sending_campaign(250), sending_campaign(250, weight=3)
    of_the_heavy = set(OutboundMessage.objects.filter(campaign=heavy).values_list("id", flat=True))
    for _ in range(24):
        lease = leases.take()
        assert lease is not None
        delivery.deliver(lease)
    share = sum(int(envelope.reference) in of_the_heavy for envelope in outbox.outbox) / len(outbox.outbox)
    assert 0.7 < share < 0.8
    assert len(outbox.outbox) == 24 * 10
    assert light.pk != heavy.pk


@pytest.mark.django_db
def test_a_test_send_waits_for_the_account_and_says_when_that_takes_too_long(
    outbox: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign = factories.CampaignFactory.create()
    assert trial.send_test(campaign, phone="+254712345678", text="x", reference="a") == Accepted("memory-test-a")
    throttle.forget()
    limit(0.1)
    monkeypatch.setattr(trial, "PATIENCE_SECONDS", 0.05)
    assert isinstance(trial.send_test(campaign, phone="+254712345678", text="x", reference="b"), Accepted)
    assert isinstance(trial.send_test(campaign, phone="+254712345678", text="x", reference="c"), SlowDown)
    assert len(outbox.outbox) == 2


def record_slices(outbox: Memory, monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """The parts of the messages of each call of the provider, filled as it is called."""
    slices: list[list[int]] = []
    submit = providers.submit

    def recorded(alias: str, envelopes: Sequence[Envelope]) -> list[Outcome]:
        slices.append([envelope.parts for envelope in envelopes])
        return submit(alias, envelopes)

    monkeypatch.setattr(providers, "submit", recorded)
    return slices


class Away:
    """A connection to a database that is away."""

    closed = False

    def cursor(self) -> None:
        raise OperationalError("gone")

    def close(self) -> None:
        self.closed = True


def test_a_correction_that_cannot_be_written_is_given_up_and_raises_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    away = Away()
    monkeypatch.setattr(throttle, "connection", away)
    give_back("memory", Grant(10, 50.0, 0.0), used=3)
    assert away.closed


@pytest.mark.django_db
def test_a_raised_rate_forgets_what_a_long_message_owed_at_the_old_one() -> None:
    limit(0.01)
    give_back("memory", grant(), used=5)
    assert ahead() > 100
    senders.set_rate("memory", 500)
    assert ahead() <= 1
    assert grant(seconds=2).parts == 10
