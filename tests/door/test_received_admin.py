"""The admin's pages of what came in at the door, and what purging, metrics and the screen make of it."""

import json
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.models.functions import Now
from django.test import Client
from django.test.utils import CaptureQueriesContext

from messaging import checks, hooks, metrics, purge, state, unmatched
from messaging.models import HookEvent, Reply, Sender, UnmatchedReceipt
from messaging.providers.base import Receipt
from tests.admin.conftest import client_with
from tests.admin.pages import text
from tests.door.knocking import ALIAS, NOON, address, knock, said

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("outbox", "empty_board")]

EVENTS, RECEIPTS = "/admin/messaging/hookevent/", "/admin/messaging/unmatchedreceipt/"


@pytest.fixture
def viewer() -> Client:
    return client_with(["messaging.view_hookevent", "messaging.view_unmatchedreceipt", "messaging.view_sender"])


def listed(viewer: Client, path: str, **query: str) -> list[int]:
    return sorted(row.pk for row in viewer.get(path, query).context["cl"].result_list)


def three_events() -> list[int]:
    """One that waits, one that is done and one with a fault."""
    for n in range(3):
        knock(said(n, "sent"))
    ids = list(HookEvent.objects.order_by("id").values_list("pk", flat=True))
    HookEvent.objects.filter(pk=ids[1]).update(done_at=Now())
    HookEvent.objects.filter(pk=ids[2]).update(done_at=Now(), fault="KeyError at x.py:1")
    return ids


def test_requests_are_filtered_by_what_became_of_them_and_by_sender(viewer: Client) -> None:
    ids = three_events()

    assert listed(viewer, EVENTS) == ids
    assert listed(viewer, EVENTS, fate="waiting") == ids[:1]
    assert listed(viewer, EVENTS, fate="faulty") == ids[2:]
    assert listed(viewer, EVENTS, alias="console") == []
    assert listed(viewer, EVENTS, alias=ALIAS) == ids
    assert "KeyError at x.py:1" in text(viewer.get(EVENTS))


def test_the_list_of_requests_fetches_no_bodies_and_takes_as_few_queries_for_many(viewer: Client) -> None:
    three_events()
    viewer.get(EVENTS)
    with CaptureQueriesContext(connection) as few:
        viewer.get(EVENTS)
    for n in range(10):
        knock(said(100 + n, "sent"))
    with CaptureQueriesContext(connection) as many:
        viewer.get(EVENTS)

    assert len(few) == len(many)
    assert not [each for each in many.captured_queries if '"hook_events"."body",' in each["sql"]]


def test_a_request_is_shown_with_its_body_also_when_it_is_no_text(viewer: Client) -> None:
    knock(said(7, "sent"))
    HookEvent.objects.update(body=b"\xff{}" + b"x" * 30_000)

    page = text(viewer.get(f"{EVENTS}{HookEvent.objects.get().pk}/change/"))

    assert "\ufffd{}" in page
    assert "(30003 bytes)" in page


def test_unmatched_receipts_are_filtered(viewer: Client) -> None:
    unmatched.keep(ALIAS, [Receipt("sent", NOON, reference="1"), Receipt("failed", NOON, reference="2")])
    sent, failed = UnmatchedReceipt.objects.order_by("id").values_list("pk", flat=True)
    UnmatchedReceipt.objects.filter(pk=failed).update(next_try_at=None)

    assert listed(viewer, RECEIPTS) == [sent, failed]
    assert listed(viewer, RECEIPTS, tried="again") == [sent]
    assert listed(viewer, RECEIPTS, tried="kept") == [failed]
    assert listed(viewer, RECEIPTS, status__exact="sent") == [sent]
    assert viewer.get(f"{RECEIPTS}{sent}/change/").status_code == 200


def test_nobody_adds_changes_or_deletes_them_there() -> None:
    owner = client_with([f"messaging.{verb}_{name}" for name in ("hookevent", "unmatchedreceipt")
                         for verb in ("view", "add", "change", "delete")])  # fmt: skip
    knock(said(7, "sent"))
    event = HookEvent.objects.get()

    assert owner.get(f"{EVENTS}add/").status_code == 403
    assert owner.post(f"{EVENTS}{event.pk}/change/", {"alias": "x"}).status_code == 403
    assert owner.post(f"{EVENTS}{event.pk}/delete/", {"post": "yes"}).status_code == 403
    assert HookEvent.objects.get().alias == ALIAS


def test_a_senders_page_says_where_its_vendor_reaches_us(settings: Any) -> None:
    viewer = client_with(["messaging.view_sender", "messaging.change_sender"])
    page = f"/admin/messaging/sender/{Sender.objects.get(alias=ALIAS).pk}/change/"
    assert "PUBLIC_URL is not set" in text(viewer.get(page))
    settings.PUBLIC_URL = "https://clarion.example.com"
    assert f"https://clarion.example.com{address()}" in text(viewer.get(page))


@pytest.mark.parametrize("url", ["clarion.example.com", "ftp://x", "https://x?y", "https://"])
def test_an_address_that_is_none_is_told_at_the_start(settings: Any, url: str) -> None:
    settings.PUBLIC_URL = url
    assert [each.id for each in checks.our_address_is_one()] == ["messaging.E020"]
    settings.PUBLIC_URL = "https://clarion.example.com/sms"
    assert checks.our_address_is_one() == []


# --- purging ---


def test_old_requests_and_receipts_are_purged_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(purge, "SLICE", 2)
    waiting, *done = three_events()
    unmatched.keep(ALIAS, [Receipt("sent", NOON, reference=str(n)) for n in range(5)])
    Reply.objects.create(alias=ALIAS, channel="sms", phone="+254712345678", text="hi", at=NOON)
    tried = UnmatchedReceipt.objects.order_by("id").values_list("pk", flat=True)[0]
    UnmatchedReceipt.objects.exclude(pk=tried).update(next_try_at=None)
    for rows in (HookEvent, UnmatchedReceipt, Reply):
        rows._default_manager.update(received_at=Now() - timedelta(days=91))
    knock(said("young", "sent"))
    hooks.work_off()
    HookEvent.objects.filter(pk=waiting).update(done_at=None)
    out = StringIO()

    call_command("purge", "--older-than", "90d", "--dry-run", stdout=out)
    assert "and 2 received requests and 4 unmatched receipts as old. Nothing was deleted." in out.getvalue()
    assert list(purge.purge_received(timedelta(days=90))) == [2, 2, 2]

    assert not HookEvent.objects.filter(pk__in=done).exists()
    assert HookEvent.objects.count() == 2
    assert set(UnmatchedReceipt.objects.values_list("reference", flat=True)) == {"0", "young"}
    assert Reply.objects.count() == 1


# --- for operators ---


def test_operators_see_what_waits_what_is_faulty_and_what_was_refused() -> None:
    three_events()
    HookEvent.objects.filter(done_at=None).update(received_at=Now() - timedelta(seconds=90))
    unmatched.keep(ALIAS, [Receipt("sent", NOON, reference="1"), Receipt("failed", NOON, reference="2")])
    UnmatchedReceipt.objects.filter(reference="2").update(next_try_at=None)
    knock(body=b"{}")
    knock(path="/hooks/nobody/x")

    found = state.read().door
    told = metrics.text().decode()
    screen, as_json = StringIO(), StringIO()
    call_command("status", stdout=screen)
    call_command("status", "--json", stdout=as_json)

    assert (found.waiting, found.faulty, found.early, found.unmatched) == (1, 1, 1, 1)
    assert found.oldest_seconds == pytest.approx(90, abs=5)
    assert "clarion_hook_events_waiting 1.0" in told
    assert 'clarion_unmatched_receipts{state="kept"} 1.0' in told
    assert 'clarion_hook_refusals_total{provider="simulator",why="malformed"} 1.0' in told
    assert 'clarion_hook_refusals_total{provider="",why="unknown_alias"} 1.0' in told
    assert "waiting 1 (the oldest 9" in screen.getvalue()
    assert "no sender: unknown alias 1" in screen.getvalue()
    assert max(map(len, screen.getvalue().splitlines())) <= 100
    assert json.loads(as_json.getvalue())["notices"]["refusals"] == {"": {"unknown_alias": 1}, ALIAS: {"malformed": 1}}


def test_counting_stops_where_it_would_take_too_long() -> None:
    three_events()
    unmatched.keep(ALIAS, [Receipt("sent", NOON, reference=str(n)) for n in range(5)])

    assert hooks.waiting(2).events == 1
    assert unmatched.counts(2) == (2, 0)


def test_reread_says_how_many(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[str] = []
    monkeypatch.setattr("messaging.bells.ring_hooks", lambda: heard.append("hooks"))
    three_events()
    out = StringIO()

    call_command("reread", ALIAS, stdout=out)

    assert out.getvalue() == "1 requests of simulator wait to be read again.\n"
    assert (heard, hooks.waiting(9).events) == (["hooks"], 2)
