"""Consent where it counts: at the launch, in the mark of every slice, and in what a vendor answers."""

import json
import random
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import OperationalError, connection

from campaigns.audience import listed
from campaigns.models import Campaign
from customers import consent
from customers.models import Consent, ConsentEvent, ConsentState
from messaging import delivery, dispatch, leases, second_chances, settling, trial, vendor_opt_outs
from messaging.models import OutboundMessage, Status
from messaging.providers.base import Accepted, GiveUp, OptedOut, Outcome
from messaging.providers.memory import Memory
from tests import factories
from tests.messaging.driving import deliver_due, send_to_everybody, sending_campaign, stats

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("outbox")]

TRIALS = 1_000


@pytest.fixture
def opt_in_required(settings: Any) -> None:
    settings.REQUIRE_OPT_IN = True


def reasons(campaign: Campaign) -> list[tuple[str, str | None]]:
    return list(OutboundMessage.objects.filter(campaign=campaign).order_by("id").values_list("status", "reason"))


# --- A STOP against a mark ------------------------------------------------------------------------------------------


def marked_in_spite_of(trials: int) -> tuple[int, int, int]:
    """Race a STOP against the mark of its message, so often; how many were marked though the STOP was committed before
    the mark began, how many STOPs were that early, and how many messages were marked at all.
    """
    sending_campaign(trials)
    gate, turn, stopped, spites, early, sent = threading.Barrier(2), [""], set[str](), 0, 0, 0

    def say_stop() -> None:
        try:
            for _trial in range(trials):
                gate.wait(timeout=30)
                consent.opt_out(phone=turn[0], channel="sms", source="reply")
                stopped.add(turn[0])
                gate.wait(timeout=30)
        finally:
            connection.close()

    thread = threading.Thread(target=say_stop)
    thread.start()
    for lease, message_id, address in waiting():
        turn[0] = address
        gate.wait(timeout=30)
        time.sleep(random.uniform(0, 0.004))
        was_early = address in stopped
        [row] = delivery._mark(lease, after=message_id - 1, limit=1)
        gate.wait(timeout=30)
        assert row[2] == address
        is_marked = row[1] == Status.SENDING
        early, sent, spites = early + was_early, sent + is_marked, spites + (was_early and is_marked)
    thread.join(timeout=30)
    return spites, early, sent


def waiting() -> Iterator[tuple[leases.Lease, int, str]]:
    """Every pending message, batch by batch, with the lease of its batch."""
    while lease := leases.take():
        rows = OutboundMessage.objects.filter(pk__range=(lease.first_id, lease.last_id)).order_by("id")
        for message_id, address in rows.values_list("id", "address"):
            yield lease, message_id, address


@pytest.mark.django_db(transaction=True)
def test_a_stop_committed_before_its_slice_is_marked_wins_a_thousand_times() -> None:
    spites, early, sent = marked_in_spite_of(TRIALS)

    assert spites == 0
    # Both orders really happened: else this proves nothing.
    assert early > TRIALS / 50
    assert sent > TRIALS / 50


@pytest.mark.django_db(transaction=True)
def test_the_race_would_be_lost_without_the_question_in_the_mark(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = consent.refusal_sql("message.address")
    assert asked in delivery._MARK
    monkeypatch.setattr(delivery, "_MARK", delivery._MARK.replace(asked, "NULL"))

    spites, early, _sent = marked_in_spite_of(100)

    assert spites == early > 0


def test_the_mark_asks_the_index_once_a_row(outbox: Memory) -> None:
    """However large the ledger is, and in whatever the planner believes of it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO consent_events (phone, channel, state, source)"
            " SELECT '+2547' || 50000000 + n, 'sms', 'opted_in', 'import' FROM generate_series(1, 20000) AS n"
        )
        cursor.execute("ANALYZE consents")
    for required in (False, True):
        sending_campaign(500)
        lease = leases.take()
        assert lease is not None
        values = leases.params(lease) | {
            "channel": "sms", "require_opt_in": required, "provider": "memory", "after": lease.first_id - 1,
            "limit": 250, "parts": 10_000,
        }  # fmt: skip
        with connection.cursor() as cursor:
            cursor.execute("EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) " + delivery._MARK, values)
            [[found]] = cursor.fetchall()
        looks = list(of_consents((json.loads(found) if isinstance(found, str) else found)[0]["Plan"]))
        done = [look for look in looks if look["Actual Loops"]]
        assert [look["Index Name"] for look in done] == ["consents_phone_channel_key"], looks
        assert done[0]["Actual Loops"] == 250
        assert "Index" in done[0]["Node Type"]


def of_consents(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The nodes of a plan that read `consents`."""
    if plan.get("Relation Name") == "consents":
        yield plan
    for part in plan.get("Plans", ()):
        yield from of_consents(part)


# --- Opting in is required ------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("opt_in_required")
def test_where_opting_in_is_required_the_launch_tells_silence_from_a_no(outbox: Memory) -> None:
    willing, unwilling, silent = factories.customers(3)
    consent.opt_in(phone=willing.phone, channel="sms", source="api")
    consent.opt_out(phone=unwilling.phone, channel="sms", source="reply")
    consent.opt_in(phone=silent.phone, channel="whatsapp", source="api")

    campaign = send_to_everybody(factories.CampaignFactory.create())
    deliver_due()

    assert reasons(campaign) == [("sent", None), ("skipped", "opted_out"), ("skipped", "no_consent")]
    assert [sent.to for sent in outbox.outbox] == [willing.phone]


def test_where_it_comes_to_be_required_meanwhile_the_mark_tells_too(settings: Any, outbox: Memory) -> None:
    campaign = sending_campaign(3)
    first, second, _silent = OutboundMessage.objects.filter(campaign=campaign).order_by("id")
    consent.opt_in(phone=first.address, channel="sms", source="api")
    consent.opt_out(phone=second.address, channel="sms", source="reply")
    settings.REQUIRE_OPT_IN = True

    deliver_due()

    assert reasons(campaign) == [("sent", None), ("skipped", "opted_out"), ("skipped", "no_consent")]


@pytest.mark.usefixtures("opt_in_required")
def test_an_estimate_counts_the_silent_apart_and_a_test_to_them_is_refused(outbox: Memory) -> None:
    willing, unwilling, silent = factories.customers(3)
    consent.opt_in(phone=willing.phone, channel="sms", source="api")
    consent.opt_out(phone=unwilling.phone, channel="sms", source="reply")
    campaign = factories.CampaignFactory.create()

    found = dispatch.estimate(campaign, listed([willing.pk, unwilling.pk, silent.pk]))
    refused = trial.send_test(campaign, phone=silent.phone, text="Hi", reference="1")

    assert (found.recipients, found.opted_out, found.no_consent) == (3, 1, 1)
    assert isinstance(refused, OptedOut)
    assert outbox.outbox == []


def test_who_opts_in_again_is_written_to_again(outbox: Memory) -> None:
    campaign = sending_campaign(1)
    address = OutboundMessage.objects.get().address
    consent.opt_out(phone=address, channel="sms", source="reply")
    consent.opt_in(phone=address, channel="sms", source="reply")

    deliver_due()

    assert stats(campaign) == {"sent": 1}


# --- What vendors know ----------------------------------------------------------------------------------------------


def answer_by(outbox: Memory, **outcomes: Outcome) -> None:
    """Answer by the last letter of the text: a, b, c, …"""
    outbox.answer = lambda envelope: outcomes.get(envelope.text[-1]) or Accepted("v")


def lettered(*letters: str) -> tuple[Campaign, list[OutboundMessage]]:
    """A campaign with one message for each letter, which ends in it."""
    people = [factories.CustomerFactory.create(first_name=letter) for letter in letters]
    campaign = factories.CampaignFactory.create(base_template="Hi {FirstName}")
    dispatch.send(campaign, listed([person.pk for person in people]), by=None)
    return campaign, list(OutboundMessage.objects.filter(campaign=campaign).order_by("id"))


def test_what_a_vendor_knows_is_recorded_with_the_outcome_and_holds_for_the_next_campaign(outbox: Memory) -> None:
    answer_by(outbox, b=OptedOut("21610"), c=GiveUp("no such number"))
    campaign, (_a, b, _c) = lettered("a", "b", "c")

    deliver_due()

    assert [status for status, _reason in reasons(campaign)] == ["sent", "skipped", "failed"]
    [event] = ConsentEvent.objects.all()
    assert (event.phone, event.channel, event.state) == (b.address, "sms", "opted_out")
    assert (event.source, event.message_id, event.note) == ("provider", b.pk, "memory")
    again = send_to_everybody(factories.CampaignFactory.create())
    assert reasons(again).count(("skipped", "opted_out")) == 1


def test_a_late_answer_of_a_lost_lease_is_recorded_all_the_same() -> None:
    campaign, (message,) = lettered("a")
    lease = leases.take()
    assert lease is not None
    [row] = delivery._mark(lease, after=message.pk - 1, limit=1)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE message_batches SET lease = NULL, leased_until = NULL")
        cursor.execute("UPDATE outbound_messages SET status = 'unknown', reason = 'worker_lost'")

    with pytest.raises(leases.LeaseLost):
        settling.settle(lease, [row[0]], delivery._verdicts([row], [OptedOut("blacklisted")]))

    assert reasons(campaign) == [("unknown", "worker_lost")]
    assert consent.state(message.address, "sms") == ConsentState.OPTED_OUT


@pytest.mark.django_db(transaction=True)
def test_an_outcome_that_is_written_again_is_recorded_once(outbox: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commit went through and its answer was lost: the worker cannot know, and writes again."""
    answer_by(outbox, a=OptedOut("stop"))
    settle = settling.settle
    lost: list[bool] = []

    def settle_and_lose(*arguments: Any) -> None:
        settle(*arguments)
        if not lost:
            lost.append(True)
            raise OperationalError("the connection is lost")

    monkeypatch.setattr(settling, "settle", settle_and_lose)
    lettered("a")

    deliver_due()

    assert lost
    assert ConsentEvent.objects.count() == 1


def test_when_the_outcome_is_not_written_neither_is_the_wish(outbox: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    answer_by(outbox, a=OptedOut("stop"))
    campaign, (message,) = lettered("a")
    lease = leases.take()
    assert lease is not None
    [row] = delivery._mark(lease, after=message.pk - 1, limit=1)

    def fail(_ids: Any) -> int:
        note(_ids)
        raise ZeroDivisionError

    note = vendor_opt_outs.note
    monkeypatch.setattr(vendor_opt_outs, "note", fail)
    with pytest.raises(ZeroDivisionError):
        settling.settle(lease, [row[0]], delivery._verdicts([row], [OptedOut("stop")]))

    assert not ConsentEvent.objects.exists()
    assert not Consent.objects.exists()
    assert reasons(campaign) == [("sending", None)]


def test_a_whole_slice_of_opt_outs_costs_two_statements_more(
    outbox: Memory, django_assert_max_num_queries: Any
) -> None:
    outbox.answer = lambda _envelope: OptedOut("stop")
    sending_campaign(40)
    ids = list(OutboundMessage.objects.values_list("id", flat=True))

    with django_assert_max_num_queries(2):
        assert vendor_opt_outs.note(dict.fromkeys(ids)) == 40
    with django_assert_max_num_queries(0):
        assert vendor_opt_outs.note({}) == 0


def test_a_retry_asks_the_ledger_again(outbox: Memory) -> None:
    answer_by(outbox, a=GiveUp("no"))
    campaign, (message,) = lettered("a")
    deliver_due()
    campaign.refresh_from_db()
    vendor_opt_outs.note({message.pk: None})
    second_chances.retry(campaign, by=None)

    deliver_due()

    assert reasons(campaign) == [("skipped", "opted_out")]
