"""An account that only fails, or asks to slow down, is left alone and tried again by itself."""

from collections.abc import Iterator, Sequence

import pytest
from django.db import connection

from customers import consent
from customers.models import Customer
from messaging import breaker, leases, throttle
from messaging.models import Alert, SenderState
from messaging.providers.base import Accepted, GiveUp, OptedOut, Outcome, SlowDown, StopAll, TryLater, Unknown
from messaging.providers.memory import Memory
from tests.messaging.driving import deliver_due, make_due, sending_campaign, stats

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("outbox")]

BUSY, LOST, YES, NO = TryLater("busy"), Unknown("no answer"), Accepted(), GiveUp("no such number")


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    throttle.forget()
    yield
    throttle.forget()


def state() -> SenderState:
    return SenderState.objects.get(pk="memory")


def let_the_hold_pass() -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE sender_states SET held_until = clock_timestamp() - interval '1 ms'")


@pytest.mark.parametrize(
    ("outcomes", "reading"),
    [
        ([BUSY, BUSY], breaker.Reading(failed=True)),
        ([BUSY, LOST], breaker.Reading(failed=True)),
        ([BUSY, YES], breaker.Reading()),
        ([LOST, NO], breaker.Reading()),
        ([BUSY, OptedOut("gone")], breaker.Reading()),
        ([SlowDown("429", 7), YES], breaker.Reading()),
        ([SlowDown("429", 7), SlowDown("429", 9), YES], breaker.Reading(hold_seconds=9)),
        ([SlowDown("429")], breaker.Reading(hold_seconds=breaker.THROTTLED_SECONDS)),
        ([SlowDown("429", -3)], breaker.Reading(hold_seconds=breaker.THROTTLED_SECONDS)),
        ([SlowDown("429", 0)], breaker.Reading(hold_seconds=breaker.THROTTLED_SECONDS)),
        ([SlowDown("429", 10**9)], breaker.Reading(hold_seconds=breaker.LONGEST_THROTTLED_SECONDS)),
    ],
)
def test_a_slice_tells_of_its_account(outcomes: Sequence[Outcome], reading: breaker.Reading) -> None:
    assert breaker.read(outcomes) == reading


def test_the_breaker_waits_longer_each_time_and_never_for_ever() -> None:
    waits = [breaker.hold_seconds(holds) for holds in range(10)]
    assert waits[:3] == [5, 10, 20]
    assert max(waits) == waits[-1] == breaker.hold_seconds(10**6) == 300


def heed(outcomes: Sequence[Outcome], *, troubled: bool = True, probes: bool = False, campaign: int = 1) -> bool:
    return breaker.heed(campaign, "memory", outcomes, troubled=troubled, probes=probes)


def fail(messages: int, campaign: int = 1) -> None:
    for _ in range(messages):
        heed([BUSY], campaign=campaign)


def open_breaker() -> int:
    """A sending campaign of one message, whose provider has just been found to fail."""
    campaign = sending_campaign(1)
    fail(breaker.TRIPS_AFTER, campaign.pk)
    return campaign.pk


def seconds_held() -> float:
    with connection.cursor() as cursor:
        cursor.execute("SELECT extract(epoch FROM held_until - clock_timestamp()) FROM sender_states")
        [seconds] = cursor.fetchone()
    return float(seconds)


def test_failures_in_a_row_open_the_breaker_and_nobody_takes_a_batch() -> None:
    campaign = sending_campaign(1)
    fail(breaker.TRIPS_AFTER - 1)
    assert state().hold == ""
    fail(1, campaign.pk)
    assert state().hold == "breaker"
    assert leases.take() is None


def test_when_it_opens_people_are_told_once() -> None:
    campaign = open_breaker()
    let_the_hold_pass()
    fail(1, campaign)
    assert [(alert.campaign_id, alert.code) for alert in Alert.objects.all()] == [(campaign, "provider_failing")]


def test_one_answered_slice_in_between_keeps_it_closed() -> None:
    fail(breaker.TRIPS_AFTER - 1)
    heed([BUSY, NO])
    fail(breaker.TRIPS_AFTER - 1)
    assert state().hold == ""


def test_slices_that_were_on_the_wire_when_it_opened_do_not_make_it_wait_longer() -> None:
    campaign = open_breaker()
    fail(50, campaign)
    assert state().holds == 1
    assert seconds_held() <= breaker.FIRST_HOLD_SECONDS


def test_when_the_time_has_come_one_worker_tries_and_the_others_wait() -> None:
    open_breaker()
    sending_campaign(1)
    let_the_hold_pass()

    probe = leases.take()

    assert probe is not None
    assert probe.probes
    assert leases.take() is None


def test_a_probe_is_of_few_messages_and_an_answer_closes_the_breaker(outbox: Memory) -> None:
    campaign = sending_campaign(40)
    outbox.answer = lambda _envelope: BUSY
    fail(breaker.TRIPS_AFTER, campaign.pk)
    deliver_due()
    assert outbox.outbox == []

    let_the_hold_pass()
    deliver_due()
    assert len(outbox.outbox) == breaker.PROBE_MESSAGES
    assert (state().hold, state().holds) == ("breaker", 2)

    outbox.clear()
    let_the_hold_pass()
    make_due()
    deliver_due()
    assert (state().hold, state().failures, state().holds, state().held_until) == ("", 0, 0, None)
    assert stats(campaign) == {"sent": 40}


def test_a_failed_probe_waits_the_breakers_time_and_not_the_probes() -> None:
    campaign = open_breaker()
    let_the_hold_pass()
    assert breaker.may_probe("memory", 10_000)
    assert not breaker.may_probe("memory", 10_000)
    heed([BUSY] * breaker.PROBE_MESSAGES, probes=True, campaign=campaign)
    assert 5 < seconds_held() <= 10


def test_a_provider_that_asks_to_slow_down_is_left_alone_for_as_long_as_it_asks(outbox: Memory) -> None:
    campaign = sending_campaign(3)
    outbox.answer = lambda _envelope: SlowDown("429", 30)
    deliver_due()
    assert state().hold == "throttled"

    make_due()
    assert leases.take() is None

    outbox.clear()
    let_the_hold_pass()
    deliver_due()
    assert stats(campaign) == {"sent": 3}
    assert state().hold == ""


def test_a_shorter_wish_does_not_end_a_hold() -> None:
    heed([SlowDown("429", 60)], troubled=False)
    until = state().held_until
    heed([SlowDown("429", 1)])
    assert state().held_until == until


def test_a_broken_account_is_the_campaigns_affair_and_no_failure() -> None:
    assert not heed([StopAll("no credit")], troubled=False)
    assert not SenderState.objects.exists()


def test_a_good_slice_of_an_account_without_trouble_writes_nothing(django_assert_num_queries: object) -> None:
    with django_assert_num_queries(0):  # type: ignore[operator]
        assert not heed([YES], troubled=False)


def test_a_throttled_slice_that_comes_in_late_does_not_close_an_open_breaker() -> None:
    campaign = open_breaker()
    heed([SlowDown("429", 1)], campaign=campaign)
    assert state().hold == "breaker"
    let_the_hold_pass()
    probe = leases.take()
    assert probe is not None
    assert probe.probes


def test_a_probe_goes_on_to_the_first_who_may_be_written_to(outbox: Memory) -> None:
    campaign = sending_campaign(8)
    fail(breaker.TRIPS_AFTER, campaign.pk)
    for phone in Customer.objects.order_by("id").values_list("phone", flat=True)[:6]:
        consent.opt_out(phone=phone, channel="sms", source="test")
    let_the_hold_pass()
    deliver_due()
    assert len(outbox.outbox) == 2
    assert state().hold == ""
