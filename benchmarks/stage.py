"""What stands around every figure: customers, a campaign that was launched, and the seconds until it has ended."""

import time
from collections.abc import Callable

from django.conf import settings
from django.db import connection, transaction

from campaigns.audience import Everybody
from campaigns.models import Campaign
from customers.models import Channel
from messaging import bells, dispatch, tasks
from messaging.models import Launch
from messaging.patience import persistently

TEXT = (
    "Hi {FirstName}, {PreferredProduct} is now in {Location}. Show this text at any of our branches before Saturday and"
    " the second one is on us. Reply STOP to opt out."
)
# Some figures take so many whatever was asked for.
LEAST_CUSTOMERS = 50_000
OPT_OUTS = 20_000
PATIENCE_SECONDS = 300.0


class Stuck(Exception):
    """What was measured did not come to its end; `str()` says what it was."""


def clear() -> None:
    """Empty the ledger, and let the next measurement begin just after a checkpoint, as all others."""
    # A sweep that looks at the same tables at this moment may win the deadlock.
    persistently(_empty, seconds=30)
    settle()


def _empty() -> None:
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE campaigns, outbound_messages, message_batches, launches CASCADE")


def settle() -> None:
    """Write to disk what earlier work has left, so that nobody else pays for it."""
    with connection.cursor() as cursor:
        cursor.execute("CHECKPOINT")


def make_customers(count: int) -> None:
    """At least `count` customers, none with a number that the simulator knows, and opt-outs of other people."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO customers (phone, first_name, last_name, location, preferred_product)"
            " SELECT '+254' || 700000000 + 100 * n,"
            " (ARRAY['Wanjiru', 'Juma', 'Achieng', 'Adèle'])[1 + n %% 4], 'Otieno',"
            " (ARRAY['Nairobi', 'Mombasa', 'Kisumu'])[1 + n %% 3],"
            " (ARRAY['Maize Flour', 'Rice', 'Tea'])[1 + n / 4 %% 3]"
            " FROM generate_series(1, %s) AS n ORDER BY n",
            [max(count, LEAST_CUSTOMERS)],
        )
        cursor.execute(
            "INSERT INTO consent_events (phone, channel, state, source)"
            " SELECT '+254' || 600000000 + n, 'sms', 'opted_out', 'reply' FROM generate_series(1, %s) AS n",
            [OPT_OUTS],
        )
        cursor.execute("VACUUM ANALYZE customers, consent_events, consents")


def send(rows: int) -> Campaign:
    """Send a new campaign to the first `rows` customers; a worker is rung to write its messages."""
    campaign = Campaign.objects.create(name="benchmark", channel=Channel.SMS, base_template=TEXT)
    with transaction.atomic():
        dispatch.send(campaign, Everybody(), by=None)
        Launch.objects.filter(pk=campaign.pk).update(last_customer_id=_last_customer(rows))
        Campaign.objects.filter(pk=campaign.pk).update(expected=rows)
    return campaign


def route(alias: str) -> None:
    """Have what this process launches wait for that account; what it is, the workers know."""
    settings.MESSAGE_PROVIDERS |= {alias: settings.MESSAGE_PROVIDERS["memory"]}
    settings.MESSAGE_ROUTES = dict.fromkeys(Channel.values, alias)


def launched(rows: int, alias: str) -> Campaign:
    """A paused campaign whose messages to the first `rows` customers wait for this provider."""
    campaign = paused(rows)
    launch(campaign, alias)
    return campaign


def paused(rows: int) -> Campaign:
    """A campaign to the first `rows` customers of which nothing is written yet; no worker will write or deliver it."""
    with transaction.atomic():
        campaign = send(rows)
        campaign.pause()
        # A running worker would hear the bell and launch it itself.
        Campaign.objects.filter(pk=campaign.pk).update(launching=False)
    return campaign


def launch(campaign: Campaign, alias: str) -> float:
    """Write its messages in this process, as the task does; how many seconds that took."""
    route(alias)
    Campaign.objects.filter(pk=campaign.pk).update(launching=True)
    begun = time.monotonic()
    while Launch.objects.filter(pk=campaign.pk).exists():
        tasks.launch(campaign_id=campaign.pk)
    return time.monotonic() - begun


def deliver(campaign: Campaign) -> float:
    """Let the workers deliver what was launched; seconds until the campaign ended, by the database's clock."""
    begun = resume(campaign)
    return until_ended(campaign) - begun


def resume(campaign: Campaign) -> float:
    """Let the workers begin; the database's time just before."""
    begun = now()
    campaign.resume()
    bells.ring_delivery(bells.MOST_WAITING)
    return begun


def until_ended(campaign: Campaign) -> float:
    """Wait until the campaign has ended; when that was, by the database's clock."""

    def ended() -> bool:
        campaign.refresh_from_db()
        return campaign.ended_at is not None

    until(ended, "the campaign ends")
    assert campaign.ended_at  # noqa: S101 (for mypy)
    stats = campaign.progress.stats
    if stats["sent"] != stats["total"]:
        raise Stuck(f"the campaign ended with {stats}")
    return campaign.ended_at.timestamp()


def now() -> float:
    """The database's time, in seconds."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT extract(epoch FROM clock_timestamp())::float8")
        return float(cursor.fetchone()[0])


def until(happens: Callable[[], bool], what: str, seconds: float = PATIENCE_SECONDS) -> None:
    """Wait until `happens`; raises `Stuck` when it does not."""
    deadline = time.monotonic() + seconds
    while not happens():
        if time.monotonic() > deadline:
            raise Stuck(f"not within {seconds:g} s: {what}")
        time.sleep(0.01)


def _last_customer(rows: int) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM customers ORDER BY id OFFSET %s LIMIT 1", [rows - 1])
        return int(cursor.fetchone()[0])
