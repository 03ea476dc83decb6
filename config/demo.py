"""Fills an empty database with customers and campaigns to look at and play with, the same ones every time."""

from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db import connection, transaction
from django.utils import timezone

from campaigns import audience
from campaigns.models import Campaign
from config import demo_customers
from customers import consent
from customers.models import Channel, Customer
from messaging import dispatch

SENT_ID, PAUSED_ID, SCHEDULED_ID, DRAFT_ID = 1, 2, 3, 4
HISTORY = 500
IN_PAUSE = 300
WAITING = 200

# Every so many-th of the first customers said no; who said so to WhatsApp still gets SMS.
_OPTED_OUT_OF_SMS = range(17, 500, 60)
_OPTED_OUT_OF_WHATSAPP = range(29, 500, 90)

_CAMPAIGNS: tuple[dict[str, Any], ...] = (
    {
        "id": SENT_ID,
        "name": "October loyalty points",
        "channel": Channel.WHATSAPP,
        "base_template": "Hi {FirstName|there}, your {loyalty_points|first} points wait in the {location|next} shop.",
    },
    {
        "id": PAUSED_ID,
        "name": "Weekend offer",
        "channel": Channel.SMS,
        "base_template": "{FirstName|Hello}, this weekend {preferred_product|everything} is 10% off. Karibu! 🎉",
    },
    {
        "id": SCHEDULED_ID,
        "name": "Opening of the new shop",
        "channel": Channel.WHATSAPP,
        "base_template": "Dear {FirstName|customer}, our new shop in {location|your town} opens soon. Come and see it!",
    },
    {
        "id": DRAFT_ID,
        "name": "Welcome to Clarion",
        "channel": Channel.SMS,
        "base_template": "Habari {FirstName|rafiki}! {PreferredProduct|A gift} waits for you in {location|our shop}.",
    },
)


def is_empty() -> bool:
    """Whether the database holds neither a customer nor a campaign."""
    return not (Customer.objects.exists() or Campaign.objects.exists())


def fill(amount: int, *, by: User | None) -> None:
    """Make `amount` customers, a few opt-outs and four campaigns, in one transaction; 10,000 take about a second.

    The caller makes sure that the database is empty. Customers and campaigns have the same ids in every database.
    """
    with transaction.atomic():
        _copy_customers(amount)
        _record_opt_outs(amount)
        for fields in _CAMPAIGNS:
            Campaign.objects.create(created_by=by, **fields)
        _follow_ids("campaigns")
        _make_history(amount, by)
        _make_paused(amount, by)
        _make_scheduled(amount, by)
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE customers, campaigns, outbound_messages")


def _copy_customers(amount: int) -> None:
    statement = f"COPY customers ({', '.join(demo_customers.COLUMNS)}, created_at, updated_at) FROM STDIN"
    known_since = timezone.now() - timedelta(days=60)
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for row in demo_customers.rows(amount):
            copy.write_row((*row, known_since, known_since))
    _follow_ids("customers")


def _follow_ids(table: str) -> None:
    """Let the next row's id come after those that were given."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT setval(sequence, greatest(max(id), nextval(sequence))) FROM {table},"  # noqa: S608  (our own name)
            " pg_get_serial_sequence(%s, 'id') AS sequence GROUP BY sequence",
            [table],
        )


def _record_opt_outs(amount: int) -> None:
    for channel, ids in ((Channel.SMS, _OPTED_OUT_OF_SMS), (Channel.WHATSAPP, _OPTED_OUT_OF_WHATSAPP)):
        for phone in Customer.objects.filter(id__in=list(ids), id__lte=amount).values_list("phone", flat=True):
            consent.opt_out(phone=phone, channel=channel, source="demo")


def _send(campaign_id: int, ids: range, amount: int, by: User | None) -> Campaign | None:
    """Send to those of `ids` that exist; nothing and none when none do."""
    there = [number for number in ids if number <= amount]
    if not there:
        return None
    return dispatch.send(Campaign.objects.get(pk=campaign_id), audience.listed(there), by=by).campaign


def _make_history(amount: int, by: User | None) -> None:
    """A campaign that was sent three weeks ago; its receipts have come."""
    campaign = _send(SENT_ID, range(1, HISTORY + 1), amount, by)
    if not campaign:
        return
    began_at = timezone.now().replace(hour=7, minute=30, second=0, microsecond=0) - timedelta(days=21)
    with connection.cursor() as cursor:
        cursor.execute(_HISTORY, {"campaign": campaign.pk, "began_at": began_at})
        cursor.execute(_SKIPPED_THEN, {"campaign": campaign.pk, "began_at": began_at})
        cursor.execute("DELETE FROM message_batches WHERE campaign_id = %s", [campaign.pk])
    campaign.complete()
    Campaign.objects.filter(pk=campaign.pk).update(
        created_at=began_at - timedelta(hours=20),
        launched_at=began_at,
        started_at=began_at,
        ended_at=began_at + timedelta(seconds=45),
        updated_at=began_at + timedelta(seconds=45),
    )


def _make_paused(amount: int, by: User | None) -> None:
    """A campaign that somebody stopped in the middle, two hours ago; the rest waits."""
    campaign = _send(PAUSED_ID, range(1, IN_PAUSE + 1), amount, by)
    if not campaign:
        return
    began_at = timezone.now() - timedelta(hours=2)
    with connection.cursor() as cursor:
        cursor.execute(_HALF_SENT, {"campaign": campaign.pk, "began_at": began_at})
    campaign.pause()
    Campaign.objects.filter(pk=campaign.pk).update(
        created_at=began_at - timedelta(hours=1), launched_at=began_at, started_at=began_at
    )


def _make_scheduled(amount: int, by: User | None) -> None:
    """A campaign whose messages are written and wait for a morning five days ahead."""
    opening = timezone.now().replace(hour=6, minute=0, second=0, microsecond=0) + timedelta(days=5)
    Campaign.objects.get(pk=SCHEDULED_ID).revise(scheduled_at=opening)
    _send(SCHEDULED_ID, range(1, WAITING + 1), amount, by)


# Written at once instead of through the engine, so that it has a past: one in 30 failed, one in 100 is unknown, the
# rest was sent at some 25 a second, and most of it delivered and read.
_HISTORY = """
WITH told AS (
    SELECT id,
        CASE WHEN customer_id %% 100 IN (7, 38, 71) THEN 'failed'
             WHEN customer_id %% 100 = 41 THEN 'unknown'
             WHEN customer_id %% 25 = 3 THEN 'sent'
             WHEN customer_id %% 3 = 0 THEN 'read'
             ELSE 'delivered' END AS fate,
        customer_id %% 100 = 7 AS was_tried_again,
        %(began_at)s + customer_id * interval '40 ms' AS left_at,
        customer_id * 37 %% 90 * interval '1 second' AS took
    FROM outbound_messages WHERE campaign_id = %(campaign)s AND status = 'pending'
)
UPDATE outbound_messages AS message SET
    status = fate,
    reason = CASE fate WHEN 'failed' THEN CASE WHEN was_tried_again THEN 'retries_exhausted' ELSE 'rejected' END
                       WHEN 'unknown' THEN 'no_answer' END,
    last_error = CASE fate WHEN 'failed' THEN CASE WHEN was_tried_again THEN 'busy' ELSE 'no such subscriber' END
                           WHEN 'unknown' THEN 'no answer within 20 s' ELSE '' END,
    retry_count = CASE WHEN fate = 'failed' AND was_tried_again THEN 5 ELSE 0 END,
    provider_message_id = CASE WHEN fate IN ('failed', 'unknown') THEN '' ELSE 'demo-' || message.id END,
    sent_at = CASE WHEN fate NOT IN ('failed', 'unknown') THEN left_at END,
    delivered_at = CASE WHEN fate IN ('delivered', 'read') THEN left_at + took END,
    created_at = %(began_at)s,
    updated_at = left_at + CASE fate WHEN 'read' THEN took * 40 WHEN 'delivered' THEN took ELSE interval '0' END
FROM told WHERE message.id = told.id
"""

_SKIPPED_THEN = """
UPDATE outbound_messages SET created_at = %(began_at)s, updated_at = %(began_at)s
WHERE campaign_id = %(campaign)s AND status = 'skipped'
"""

_HALF_SENT = """
UPDATE outbound_messages SET
    status = 'sent',
    provider_message_id = 'demo-' || id,
    sent_at = %(began_at)s + customer_id * interval '40 ms',
    created_at = %(began_at)s,
    updated_at = %(began_at)s + customer_id * interval '40 ms'
WHERE campaign_id = %(campaign)s AND status = 'pending' AND customer_id %% 5 < 3
"""
