"""The tables as the contract fixes them, and what the database itself refuses or does."""

import json
from typing import Any

import pytest
from django.apps import apps
from django.db import IntegrityError, connection, models, transaction

from campaigns.audience import listed
from campaigns.models import Campaign, CampaignProgress
from customers import consent
from customers.models import Customer
from messaging import breaker, delivery, dispatch, leases
from messaging.audit import audit
from messaging.models import MessageBatch, OutboundMessage
from messaging.providers.base import SlowDown
from tests import factories
from tests.messaging.driving import deliver_due, sending_campaign, stats

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("outbox")]

STACK = ["customers", "campaigns", "messaging"]


def indexes(table: str) -> dict[str, str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT indexname, indexdef FROM pg_indexes WHERE tablename = %s", [table])
        return dict(cursor.fetchall())


@pytest.mark.parametrize(
    ("table", "index", "first_column"),
    [
        ("customers", "idx_customers_phone", "phone"),
        ("campaigns", "idx_campaigns_channel", "channel"),
        ("campaigns", "idx_campaigns_status", "status"),
        ("outbound_messages", "idx_outbound_messages_campaign_id", "campaign_id"),
        ("outbound_messages", "idx_outbound_messages_customer_id", "customer_id"),
        ("outbound_messages", "idx_outbound_messages_status", "status"),
    ],
)
def test_the_indexes_of_the_contract_are_there(table: str, index: str, first_column: str) -> None:
    definition = indexes(table)[index]
    assert definition.split("(", 1)[1].split(")")[0].split(",")[0] == first_column


def test_a_phone_has_one_index_and_it_is_unique() -> None:
    on_phone = [definition for definition in indexes("customers").values() if "(phone" in definition]
    assert len(on_phone) == 1
    assert "UNIQUE" in on_phone[0]


def test_no_foreign_key_points_up_the_stack() -> None:
    for label in STACK:
        for model in apps.get_app_config(label).get_models():
            for field in model._meta.get_fields():
                if isinstance(field, models.ForeignKey):
                    assert isinstance(field.remote_field.model, type)
                    target = field.remote_field.model._meta.app_label
                    assert target not in STACK or STACK.index(target) <= STACK.index(label), field


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("outbound_messages", "campaign_id"),
        ("outbound_messages", "customer_id"),
        ("message_batches", "campaign_id"),
        ("launches", "campaign_id"),
        ("campaign_alerts", "campaign_id"),
        ("campaign_progress", "campaign_id"),
    ],
)
def test_the_database_itself_deletes_what_depends(table: str, column: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT confdeltype, condeferrable FROM pg_constraint WHERE contype = 'f' AND conrelid = %s::regclass"
            " AND conkey = ARRAY[(SELECT attnum FROM pg_attribute WHERE attrelid = conrelid AND attname = %s)]",
            [table, column],
        )
        assert cursor.fetchall() == [("c", False)]


def test_deleting_a_campaign_takes_its_messages_in_one_query(django_assert_num_queries: type) -> None:
    campaign = sending_campaign(3)

    with django_assert_num_queries(1):
        Campaign.objects.filter(pk=campaign.pk).delete()

    assert not OutboundMessage.objects.exists()
    assert not MessageBatch.objects.exists()
    assert not CampaignProgress.objects.filter(pk=campaign.pk).exists()


def test_a_customer_gets_one_message_of_a_campaign() -> None:
    campaign = sending_campaign(1)
    message = OutboundMessage.objects.get(campaign=campaign)
    message.pk = None

    with pytest.raises(IntegrityError, match="outbound_messages_campaign_customer_key"), transaction.atomic():
        message.save(force_insert=True)


@pytest.mark.parametrize(
    ("changes", "constraint"),
    [
        ({"status": "lost"}, "outbound_messages_(status|reason)"),
        ({"status": "failed"}, "outbound_messages_reason"),
        ({"status": "sent", "reason": "no_answer"}, "outbound_messages_reason"),
        ({"retry_count": -1}, "outbound_messages_retry_count"),
    ],
)
def test_the_database_refuses_a_message_that_cannot_be(changes: dict[str, object], constraint: str) -> None:
    sending_campaign(1)

    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        OutboundMessage.objects.update(**changes)


@pytest.mark.parametrize(
    ("changes", "constraint"),
    [
        ({"status": "lost"}, "campaigns_status"),
        ({"channel": "pigeon"}, "campaigns_channel"),
        ({"status": "scheduled"}, "campaigns_scheduled_has_time"),
        ({"base_template": "x" * 5_001}, "campaigns_base_template_length"),
    ],
)
def test_the_database_refuses_a_campaign_that_cannot_be(changes: dict[str, object], constraint: str) -> None:
    campaign = factories.CampaignFactory.create()

    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        Campaign.objects.filter(pk=campaign.pk).update(**changes)


@pytest.mark.parametrize("phone", ["0712345678", "+0712345678", "+25471234567x", "+254 712", ""])
def test_the_database_refuses_a_phone_that_is_not_e164(phone: str) -> None:
    with pytest.raises(IntegrityError, match="customers_phone_e164"), transaction.atomic():
        Customer.objects.bulk_create([Customer(phone=phone)])


def test_counts_follow_every_kind_of_statement() -> None:
    campaign = sending_campaign(5)
    assert stats(campaign) == {"pending": 5}
    deliver_due()
    assert stats(campaign) == {"sent": 5}

    first, second, third, *_ = OutboundMessage.objects.order_by("id").values_list("pk", "customer_id")
    OutboundMessage.objects.filter(pk=first[0]).update(status="delivered")
    OutboundMessage.objects.filter(pk=second[0])._raw_delete("default")
    Customer.objects.filter(pk=third[1]).delete()

    assert stats(campaign) == {"sent": 2, "delivered": 1}
    assert CampaignProgress.objects.get(pk=campaign.pk).total == 3
    assert audit(campaign)["consistent"]


def test_counts_follow_a_customer_who_is_in_many_campaigns() -> None:
    customers = [customer.pk for customer in factories.customers(3)]
    campaigns = [factories.CampaignFactory.create() for _ in range(3)]
    for campaign in campaigns:
        dispatch.send(campaign, listed(customers), by=None)

    Customer.objects.filter(pk__in=customers[:2]).delete()

    for campaign in campaigns:
        assert stats(campaign) == {"pending": 1}
        assert audit(campaign)["consistent"]


def test_counts_follow_truncate() -> None:
    campaign = sending_campaign(2)
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE outbound_messages")

    assert stats(campaign) == {}
    assert audit(campaign)["consistent"]


def test_counts_are_rolled_back_with_the_rows() -> None:
    campaign = sending_campaign(2)

    with transaction.atomic():
        OutboundMessage.objects.update(status="sending")
        assert stats(campaign) == {"sending": 2}
        transaction.set_rollback(True)

    assert stats(campaign) == {"pending": 2}


def test_the_database_refuses_counts_that_do_not_add_up() -> None:
    campaign = sending_campaign(1)

    with pytest.raises(IntegrityError, match="campaign_progress_equation"), transaction.atomic():
        CampaignProgress.objects.filter(pk=campaign.pk).update(total=7)


def test_an_audit_tells_rows_and_counts_that_disagree() -> None:
    campaign = sending_campaign(1)
    CampaignProgress.objects.filter(pk=campaign.pk).update(total=2, sent=1)

    report = audit(campaign)

    assert not report["consistent"]
    assert (report["stats"]["total"], report["rows"]["total"]) == (2, 1)


def test_an_audit_tells_messages_that_nobody_hands_to_a_worker() -> None:
    campaign = sending_campaign(3)
    assert audit(campaign)["stuck"] == []
    MessageBatch.objects.all().delete()

    [stuck] = audit(campaign)["stuck"]

    assert (stuck["what"], stuck["count"]) == ("pending_in_no_batch", 3)


def test_an_audit_of_a_deleted_campaign_says_so() -> None:
    campaign = sending_campaign(1)
    Campaign.objects.filter(pk=campaign.pk).delete()

    with pytest.raises(Campaign.DoesNotExist):
        audit(campaign)


def test_an_audit_of_a_paused_campaign_says_that_it_waits_for_its_owner() -> None:
    campaign = sending_campaign(2)
    campaign.pause()

    assert [(stuck["what"], stuck["count"]) for stuck in audit(campaign)["stuck"]] == [("paused", 2)]


def test_an_audit_says_that_the_provider_is_left_alone() -> None:
    campaign = sending_campaign(2)
    breaker.heed(campaign.pk, "memory", [SlowDown("429", 60)], troubled=False)

    assert [(stuck["what"], stuck["count"]) for stuck in audit(campaign)["stuck"]] == [("provider_held", 2)]


def test_a_mark_stays_cheap_when_the_planner_believes_that_nothing_is_pending() -> None:
    done = sending_campaign(3000)
    deliver_due()
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE outbound_messages")
    sending_campaign(6000)
    lease = leases.take()
    assert lease is not None
    assert lease.campaign_id != done.pk
    plan = _plan_of_mark(lease)
    # Some 20 buffers a row for the row itself and its six indexes; the quadratic plan read millions.
    assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < 250 * 60


def test_a_mark_stays_cheap_when_the_planner_knows_nothing() -> None:
    """As after a large launch, until autovacuum has looked at it."""
    sending_campaign(6000)
    lease = leases.take()
    assert lease is not None

    # Each row of the slice was compared with each of the batch: half a million times in a slice of 250.
    assert _compared_in_vain(_plan_of_mark(lease)) < 250 * 10


def _plan_of_mark(lease: leases.Lease) -> dict[str, Any]:
    """The plan with which a slice of 250 was really marked."""
    values = leases.params(lease) | {
        **consent.params("sms"), "provider": "memory", "after": lease.first_id - 1, "limit": 250, "parts": 10_000,
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) " + delivery._MARK, values)
        [[found]] = cursor.fetchall()
    plan: dict[str, Any] = (json.loads(found) if isinstance(found, str) else found)[0]["Plan"]
    return plan


def _compared_in_vain(plan: dict[str, Any]) -> float:
    own: float = plan.get("Rows Removed by Join Filter", 0)
    return own + sum(_compared_in_vain(part) for part in plan.get("Plans", ()))
