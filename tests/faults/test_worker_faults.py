"""Workers that are killed, stopped, paused and overruled while they send."""

import pytest
from django.db.models import Min

from campaigns.audience import listed
from campaigns.models import Campaign
from customers import consent
from customers.models import Customer
from messaging import dispatch
from messaging.models import MessageBatch, OutboundMessage, Status
from messaging.reasons import Reason
from tests import factories
from tests.faults.stack import Stack, customers, ids, settled

pytestmark = pytest.mark.stack


def send_to(count: int) -> Campaign:
    """A campaign on its way to this many new customers."""
    campaign = factories.CampaignFactory.create()
    dispatch.send(campaign, listed(customers(count)), by=None)
    return campaign


def customers_of(messages: set[int]) -> set[int]:
    return set(OutboundMessage.objects.filter(pk__in=messages).values_list("customer", flat=True))


def hold_two_slices(stack: Stack) -> tuple[Campaign, set[int]]:
    """A campaign to 300 with a slice of 20 on the wire in each of two threads, its answers held back; those 40."""
    stack.command("hold")
    campaign = send_to(300)
    stack.worker(threads=4)
    stack.until(lambda: len(stack.accepted()) == 40, "both threads have handed over a slice")
    on_the_wire = ids(campaign, Status.SENDING)
    assert on_the_wire == set(stack.accepted())
    return campaign, on_the_wire


def let_go(stack: Stack) -> None:
    (stack.commands / "hold").unlink()
    stack.beat()


def test_a_worker_killed_before_it_wrote_the_answers_leaves_only_its_slices_unknown(stack: Stack) -> None:
    stack.options |= {"timeout_seconds": 1.5}  # a lease of 8 seconds
    stack.command("die")
    campaign = send_to(400)
    stack.worker(threads=4).wait(20)
    lost = ids(campaign, Status.SENDING)
    assert 0 < len(lost) <= 4 * 20
    unanswered = set(stack.accepted()) - ids(campaign, Status.SENT)
    assert unanswered
    assert unanswered <= lost

    stack.worker(threads=4)
    stack.beat()
    stack.until_ended(campaign)
    assert settled(stack, campaign) == {"total": 400, "sent": 400 - len(lost), "unknown": len(lost)}
    assert ids(campaign, Status.UNKNOWN) == lost
    assert set(OutboundMessage.objects.filter(pk__in=lost).values_list("reason", flat=True)) == {Reason.WORKER_LOST}


def test_a_worker_told_to_stop_hands_its_batch_back_and_another_finishes_it(stack: Stack) -> None:
    stack.options |= {"latency_seconds": 0.2}
    campaign = send_to(300)
    worker = stack.worker(threads=4)
    stack.until(lambda: len(stack.accepted()) >= 40, "two slices are accepted")
    assert worker.terminate() < 5
    assert not ids(campaign, Status.SENDING)
    assert len(ids(campaign, Status.PENDING)) > 100
    assert not MessageBatch.objects.exclude(lease=None).exists()
    assert ids(campaign, Status.SENT) == set(stack.accepted())

    stack.worker(threads=4)
    stack.beat()
    stack.until_ended(campaign)
    assert settled(stack, campaign) == {"total": 300, "sent": 300}


def test_a_rolling_restart_under_load_loses_nothing_and_leaves_nothing_unknown(stack: Stack) -> None:
    stack.options |= {"latency_seconds": 0.1}
    campaign = send_to(1_500)
    stack.beat()
    running = [stack.worker(threads=4), stack.worker(threads=4)]
    for round_ in range(4):
        goal = 150 * (round_ + 1)
        stack.until(lambda goal=goal: len(stack.accepted()) >= goal, "they deliver")  # type: ignore[misc]
        oldest = running.pop(0)
        assert oldest.terminate() < 8
        running.append(stack.worker(threads=4))
    stack.until_ended(campaign, seconds=40)
    assert settled(stack, campaign) == {"total": 1_500, "sent": 1_500}
    assert stack.errors() == []


def test_after_a_pause_each_thread_ends_at_most_the_slice_it_is_at_and_a_resume_ends_the_rest(stack: Stack) -> None:
    stack.options |= {"latency_seconds": 0.1}
    campaign = send_to(600)
    stack.worker(threads=4)
    stack.beat()
    stack.until(lambda: len(stack.accepted()) >= 60, "some are accepted")
    campaign.pause()
    accepted = len(stack.accepted())
    stack.until(lambda: not MessageBatch.objects.exclude(lease=None).exists(), "the workers hand their batches back")
    assert accepted <= len(stack.accepted()) <= accepted + 2 * 20
    assert settled(stack, campaign)["pending"] == 600 - len(stack.accepted()) > 0

    campaign.resume()
    stack.until_ended(campaign)
    assert settled(stack, campaign) == {"total": 600, "sent": 600}


def test_an_opt_out_committed_before_a_slice_is_marked_wins(stack: Stack) -> None:
    campaign, _ = hold_two_slices(stack)
    waiting = sorted(ids(campaign, Status.PENDING))
    opted_out = {*waiting[::10], waiting[0], waiting[-1]}
    for phone in Customer.objects.filter(pk__in=customers_of(opted_out)).values_list("phone", flat=True):
        consent.opt_out(phone=phone, channel="sms", source="test")
    let_go(stack)
    stack.until_ended(campaign)
    assert settled(stack, campaign) == {"total": 300, "sent": 300 - len(opted_out), "skipped": len(opted_out)}
    assert ids(campaign, Status.SKIPPED) == opted_out
    assert opted_out.isdisjoint(stack.accepted())
    assert set(OutboundMessage.objects.filter(pk__in=opted_out).values_list("reason", flat=True)) == {Reason.OPTED_OUT}


def test_a_customer_deleted_while_the_campaign_sends_gets_nothing_more_and_nobody_stumbles(stack: Stack) -> None:
    campaign, on_the_wire = hold_two_slices(stack)
    first = Customer.objects.filter(pk__in=customers_of(on_the_wire)).aggregate(first=Min("pk"))["first"]
    waiting = sorted(ids(campaign, Status.PENDING))
    whole_batch, scattered = waiting[-100:], waiting[:-100:7]
    gone = {*whole_batch, *scattered}
    Customer.objects.filter(pk__in={first, *customers_of(gone)}).delete()
    let_go(stack)
    stack.until_ended(campaign)
    assert settled(stack, campaign) == {"total": 299 - len(gone), "sent": 299 - len(gone)}
    assert gone.isdisjoint(stack.accepted())
    assert stack.errors() == []
