"""Sending from the command line, with a worker's task in a thread of its own."""

import io
import json
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, connections
from django.utils import timezone

from campaigns.models import Campaign, Status
from messaging import tasks
from messaging.management.commands import send_campaign
from messaging.models import OutboundMessage
from messaging.providers.base import GiveUp
from messaging.providers.memory import Memory
from tests.factories import CampaignFactory, customers

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def campaign() -> Campaign:
    return CampaignFactory.create(base_template="Hi {FirstName}")


@pytest.fixture
def worker(outbox: Memory) -> Iterator[None]:
    """Something that launches, delivers and completes, as a worker would."""
    stop = threading.Event()

    def work() -> None:
        while not stop.wait(0.05):
            for campaign in Campaign.objects.filter(launching=True):
                tasks.launch(campaign_id=campaign.pk)
            tasks.deliver()
        connections.close_all()

    thread = threading.Thread(target=work)
    thread.start()
    yield
    stop.set()
    thread.join(10)


@pytest.fixture(autouse=True)
def _look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(send_campaign, "LOOK_SECONDS", 0.05)


def send(*arguments: object) -> str:
    out = io.StringIO()
    call_command("send_campaign", *map(str, arguments), stdout=out, stderr=io.StringIO())
    return out.getvalue()


def test_everybody_is_sent_to_and_watched_to_the_end(campaign: Campaign, worker: None, outbox: Memory) -> None:
    customers(25)
    printed = send(campaign.pk, "--all")
    assert f"Campaign {campaign.pk} ended as sent: 25 total, 25 sent." in printed
    assert len(outbox.outbox) == 25


def test_ids_may_stand_on_lines_or_between_commas_and_blanks(campaign: Campaign, tmp_path: Path) -> None:
    people = customers(4)
    ids = [person.pk for person in people]
    path = tmp_path / "ids.txt"
    path.write_text(f"\ufeff{ids[0]}\r\n{ids[1]}, {ids[2]};\t{ids[0]}\n\n")
    printed = send(campaign.pk, "--ids", path, "--no-wait")
    assert "3 queued, 0 skipped" in printed
    assert set(OutboundMessage.objects.values_list("customer_id", flat=True)) == set(ids[:3])


def test_phones_are_read_in_any_spelling(campaign: Campaign, tmp_path: Path) -> None:
    people = customers(4)
    numbers = [person.phone for person in people]
    path = tmp_path / "phones.txt"
    path.write_text(f"0{numbers[0][4:]}\n{numbers[1][:4]} {numbers[1][4:]}\n{numbers[2]} {numbers[3]}\n{numbers[0]}\n")
    assert "4 queued" in send(campaign.pk, "--phones", path, "--no-wait")


@pytest.mark.parametrize(
    ("option", "content", "says"),
    [
        ("--ids", "1 two 3", "These are no ids: two."),
        ("--ids", "1_000 +5", "These are no ids: 1_000, \\+5."),
        ("--ids", "999999999", "999999999"),
        ("--ids", "", "empty"),
        ("--phones", "0712345678\nnobody", "no valid phone numbers: nobody."),
        ("--phones", "0712345678", "No customer has these phones: \\+254712345678."),
        ("--phones", "", "empty"),
    ],
)
def test_what_is_no_customer_is_named_and_nothing_is_queued(
    campaign: Campaign, tmp_path: Path, option: str, content: str, says: str
) -> None:
    path = tmp_path / "list.txt"
    path.write_text(content)
    with pytest.raises(CommandError, match=f"{says}.*Nothing was queued"):
        send(campaign.pk, option, path)
    assert not OutboundMessage.objects.exists()
    campaign.refresh_from_db()
    assert campaign.status == Status.DRAFT


def test_at_most_a_hundred_strangers_are_named(campaign: Campaign, tmp_path: Path) -> None:
    path = tmp_path / "phones.txt"
    path.write_text("\n".join(f"07120000{number:02d}" for number in range(100)) + "\n0713000000\n0713000001\n")
    with pytest.raises(CommandError, match=r"and 2 more\. Nothing was queued") as refusal:
        send(campaign.pk, "--phones", path)
    assert str(refusal.value).count("+254") == 100


def test_a_missing_list_and_a_missing_campaign_are_told(campaign: Campaign, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot be read"):
        send(campaign.pk, "--ids", tmp_path / "none")
    with pytest.raises(CommandError, match="There is no campaign 0"):
        send(0, "--all")


def test_a_second_send_is_refused_with_the_status(campaign: Campaign) -> None:
    customers(1)
    send(campaign.pk, "--all", "--no-wait")
    with pytest.raises(CommandError, match=r"is sending: it cannot be sent.*Nothing was queued"):
        send(campaign.pk, "--all")


def test_a_campaign_that_reached_nobody_ends_with_an_error(campaign: Campaign, worker: None, outbox: Memory) -> None:
    customers(2)
    outbox.answer = lambda _envelope: GiveUp("no such number")
    with pytest.raises(CommandError, match="ended as failed: 2 total, 2 failed"):
        send(campaign.pk, "--all")


def while_it_is_watched(doing: Callable[[], object]) -> threading.Thread:
    def later() -> None:
        time.sleep(0.3)
        doing()
        connections.close_all()

    thread = threading.Thread(target=later)
    thread.start()
    return thread


def test_a_campaign_that_is_cancelled_meanwhile_ends_with_an_error(campaign: Campaign) -> None:
    customers(2)
    thread = while_it_is_watched(lambda: Campaign.objects.get(pk=campaign.pk).cancel())
    with pytest.raises(CommandError, match="ended as cancelled"):
        send(campaign.pk, "--all")
    thread.join()


def test_a_campaign_that_is_deleted_meanwhile_ends_with_an_error(campaign: Campaign) -> None:
    customers(2)
    thread = while_it_is_watched(lambda: Campaign.objects.filter(pk=campaign.pk)._raw_delete("default"))
    with pytest.raises(CommandError, match="deleted meanwhile"):
        send(campaign.pk, "--all")
    thread.join()


def test_a_paused_campaign_is_waited_for(campaign: Campaign, outbox: Memory) -> None:
    customers(2)
    said = io.StringIO()

    def pause_and_go_on() -> None:
        Campaign.objects.get(pk=campaign.pk).pause()
        time.sleep(0.3)
        Campaign.objects.get(pk=campaign.pk).resume()
        tasks.launch(campaign_id=campaign.pk)
        tasks.deliver()

    thread = while_it_is_watched(pause_and_go_on)
    call_command("send_campaign", str(campaign.pk), "--all", stdout=io.StringIO(), stderr=said)
    thread.join()
    assert said.getvalue().count("The campaign is paused: waiting.") == 1


def test_a_campaign_that_paused_itself_is_not_waited_for(campaign: Campaign, outbox: Memory) -> None:
    customers(2)
    thread = while_it_is_watched(lambda: Campaign.objects.get(pk=campaign.pk).pause(reason="provider_stopped"))

    with pytest.raises(CommandError, match=r"paused itself \(provider_stopped\)"):
        send(campaign.pk, "--all")
    thread.join()


def test_a_scheduled_campaign_says_for_when(campaign: Campaign) -> None:
    customers(1)
    campaign.revise(scheduled_at=timezone.now() + timedelta(days=2))
    assert f"Campaign {campaign.pk} is scheduled: 1 customers expected." in send(campaign.pk, "--all", "--no-wait")


def test_interrupting_stops_only_the_watching(campaign: Campaign, monkeypatch: pytest.MonkeyPatch) -> None:
    customers(1)

    def interrupt(_seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", interrupt)
    with pytest.raises(CommandError, match=f"Stopped watching; campaign {campaign.pk} goes on.") as stop:
        send(campaign.pk, "--all")
    assert stop.value.returncode == 130
    campaign.refresh_from_db()
    assert campaign.status == Status.SENDING


def test_the_audit_prints_counts_and_rows(campaign: Campaign, worker: None) -> None:
    customers(3)
    send(campaign.pk, "--all")
    out = io.StringIO()
    call_command("audit_campaign", str(campaign.pk), stdout=out)
    report = json.loads(out.getvalue())
    assert report["consistent"]
    assert report["stats"]["sent"] == report["rows"]["sent"] == 3


def test_the_audit_ends_with_an_error_when_the_counts_are_wrong(campaign: Campaign) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE campaign_progress SET total = 1, sent = 1 WHERE campaign_id = %s", [campaign.pk])
    with pytest.raises(CommandError, match="do not agree"):
        call_command("audit_campaign", str(campaign.pk), stdout=io.StringIO())


def test_the_audit_of_no_campaign_is_told() -> None:
    with pytest.raises(CommandError, match="There is no campaign 0"):
        call_command("audit_campaign", "0")
