"""`manage.py purge`: what ended long ago goes, slice by slice, and nothing else."""

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connections
from django.db.models.functions import Now

from campaigns.models import Campaign, Status
from customers import consent
from customers.models import ConsentEvent, Customer
from messaging import purge
from messaging.audit import audit
from messaging.models import Alert, OutboundMessage
from messaging.providers.memory import Memory
from tests.factories import CampaignFactory
from tests.messaging.driving import deliver_due, sending_campaign

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("outbox")]

NINETY_DAYS = timedelta(days=90)


def ended(count: int, days: float, status: Status = Status.SENT) -> Campaign:
    """A campaign of this many messages that ended so long ago."""
    campaign = sending_campaign(count)
    if status == Status.CANCELLED:
        campaign.cancel()
    deliver_due()
    Campaign.objects.filter(pk=campaign.pk).update(status=status, ended_at=Now() - timedelta(days=days))
    campaign.refresh_from_db()
    return campaign


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("purge", *arguments, stdout=out)
    return out.getvalue()


@pytest.fixture
def small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(purge, "SLICE", 4)


@pytest.mark.parametrize("status", [Status.SENT, Status.FAILED, Status.CANCELLED])
def test_a_campaign_that_ended_long_ago_goes_with_its_messages(status: Status) -> None:
    old, recent = ended(5, 91, status), ended(3, 89, status)

    said = run("--older-than", "90d", "--yes")

    assert said == "Deleted 1 campaigns and 5 messages.\n"
    assert list(Campaign.objects.values_list("pk", flat=True)) == [recent.pk]
    assert set(OutboundMessage.objects.values_list("campaign", flat=True)) == {recent.pk}
    assert old.pk != recent.pk


@pytest.mark.parametrize("status", [Status.DRAFT, Status.SCHEDULED, Status.SENDING, Status.PAUSED])
def test_what_has_not_ended_stays_however_old_it_is(status: Status) -> None:
    campaign = sending_campaign(2)
    long_ago = Now() - timedelta(days=900)
    Campaign.objects.filter(pk=campaign.pk).update(
        status=status, scheduled_at=long_ago, created_at=long_ago, launched_at=long_ago, started_at=long_ago
    )
    assert "There are 0 campaigns" in run("--older-than", "1", "--yes")
    assert OutboundMessage.objects.count() == 2


def test_customers_and_opt_outs_stay() -> None:
    ended(3, 100)
    consent.opt_out(phone="+254700000001", channel="sms", source="test")
    run("--older-than", "90", "--yes")
    assert (Campaign.objects.count(), Customer.objects.count(), ConsentEvent.objects.count()) == (0, 3, 1)


def test_alerts_of_the_campaign_go_with_it() -> None:
    Alert.objects.create(campaign=ended(1, 100), code="retries_exhausted")
    run("--older-than", "90", "--yes")
    assert not Alert.objects.exists()


def test_a_dry_run_says_how_many_and_deletes_nothing() -> None:
    ended(3, 100)
    ended(4, 200)
    said = run("--older-than", "90d", "--dry-run")
    assert said == "There are 2 campaigns that ended more than 90 days ago, with 7 messages. Nothing was deleted.\n"
    assert OutboundMessage.objects.count() == 7


@pytest.mark.parametrize(("answer", "left"), [("yes", 0), (" YES ", 0), ("y", 1), ("", 1)])
def test_it_asks_and_only_yes_is_yes(monkeypatch: pytest.MonkeyPatch, answer: str, left: int) -> None:
    ended(1, 100)
    asked: list[str] = []

    def say(question: str) -> str:
        asked.append(question)
        return answer

    monkeypatch.setattr("builtins.input", say)
    if left:
        with pytest.raises(CommandError, match=r"Nothing was deleted\."):
            run("--older-than", "90")
    else:
        run("--older-than", "90")
    assert Campaign.objects.count() == left
    assert "1 campaigns" in asked[0]
    assert "1 messages" in asked[0]


def test_without_a_terminal_it_wants_yes_on_the_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    ended(1, 100)

    def nobody(_question: str) -> str:
        raise EOFError

    monkeypatch.setattr("builtins.input", nobody)
    with pytest.raises(CommandError, match="--yes"):
        run("--older-than", "90")
    assert Campaign.objects.count() == 1


@pytest.mark.parametrize("age", ["0", "0d", "-1", "d", "90h", "1.5", "", "９０"])
def test_an_age_that_is_none_is_refused(age: str) -> None:
    ended(1, 100)
    with pytest.raises(CommandError):
        run(f"--older-than={age}", "--yes")
    assert Campaign.objects.count() == 1


@pytest.mark.usefixtures("small_slices")
def test_messages_go_in_slices_and_the_counts_are_right_after_each() -> None:
    campaign = ended(10, 100)
    other = ended(3, 1)
    left = []
    for deleted in purge.purge(campaign.pk, NINETY_DAYS):
        if not deleted.campaign:
            found = audit(campaign)
            assert found["consistent"], found
            left.append(found["stats"]["total"])
    assert left == [6, 2, 0]
    assert not Campaign.objects.filter(pk=campaign.pk).exists()
    assert audit(other)["stats"]["sent"] == 3


@pytest.mark.usefixtures("small_slices")
def test_it_may_be_interrupted_and_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    campaign = ended(10, 100)
    delete_slice, calls = purge._delete_slice, []

    def interrupted(*arguments: Any) -> Any:
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return delete_slice(*arguments)

    monkeypatch.setattr(purge, "_delete_slice", interrupted)
    with pytest.raises(CommandError, match="Interrupted after 0 campaigns and 4 messages") as told:
        run("--older-than", "90", "--yes")
    assert told.value.returncode == 130
    assert audit(campaign)["stats"]["total"] == 6

    assert run("--older-than", "90", "--yes") == "Deleted 1 campaigns and 6 messages.\n"
    assert not OutboundMessage.objects.exists()


@pytest.mark.usefixtures("small_slices")
def test_a_campaign_that_its_owner_lets_go_on_meanwhile_keeps_the_rest_of_its_messages() -> None:
    campaign = ended(10, 100)
    slices = purge.purge(campaign.pk, NINETY_DAYS)
    assert next(slices).messages == 4
    Campaign.objects.filter(pk=campaign.pk).update(status=Status.SENDING)
    assert list(slices) == []
    assert OutboundMessage.objects.filter(campaign=campaign).count() == 6


def test_a_campaign_without_messages_goes_too() -> None:
    campaign = CampaignFactory.create()
    campaign.cancel()
    Campaign.objects.filter(pk=campaign.pk).update(ended_at=Now() - timedelta(days=100))
    assert run("--older-than", "90", "--yes") == "Deleted 1 campaigns and 0 messages.\n"


@pytest.mark.django_db(transaction=True)
def test_while_a_slice_is_deleted_nobody_can_let_the_campaign_go_on(outbox: Memory, monkeypatch: Any) -> None:
    campaign = ended(3, 100)
    delete_slice, locked = purge._delete_slice, []

    def look(*arguments: Any) -> Any:
        other = connections["default"].copy("other")
        with other.cursor() as cursor:
            cursor.execute("SELECT 1 FROM campaigns WHERE id = %s FOR NO KEY UPDATE SKIP LOCKED", [campaign.pk])
            locked.append(cursor.fetchone() is None)
        other.close()
        return delete_slice(*arguments)

    monkeypatch.setattr(purge, "_delete_slice", look)
    list(purge.purge(campaign.pk, NINETY_DAYS))
    assert locked == [True, True]
