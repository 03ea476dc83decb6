"""The ledger of consent: what is kept, what counts, and that nothing can be taken back."""

import threading
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import Permission
from django.core.exceptions import ValidationError
from django.db import DatabaseError, connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from customers import consent
from customers.consent import Fact
from customers.models import Consent, ConsentEvent, ConsentSource, ConsentState, Customer
from tests import factories

pytestmark = pytest.mark.django_db

PHONE = "+254712345678"
OUT, IN = ConsentState.OPTED_OUT, ConsentState.OPTED_IN


def say_out(**more: Any) -> bool:
    return consent.opt_out(**({"phone": PHONE, "channel": "sms", "source": "reply"} | more))


def say_in(**more: Any) -> bool:
    return consent.opt_in(**({"phone": PHONE, "channel": "sms", "source": "reply"} | more))


def ago(**how_long: float) -> datetime:
    return timezone.now() - timedelta(**how_long)


def test_who_when_how_which_words_and_which_message_are_kept() -> None:
    at = datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert say_out(words="Stop it!", message_id=7, by=3, at=at, note="short code")

    [event] = consent.history(PHONE)
    assert (event.channel, event.phone, event.state, event.source) == ("sms", PHONE, "opted_out", "reply")
    assert (event.words, event.message_id, event.user_id, event.at) == ("Stop it!", 7, 3, at)
    assert event.note == "short code"
    assert abs(event.created_at - timezone.now()) < timedelta(seconds=30)


def test_nobody_has_said_anything_at_first() -> None:
    assert consent.state(PHONE, "sms") is None
    assert not consent.history(PHONE).exists()


def test_the_last_that_was_said_counts_for_its_channel_alone() -> None:
    assert say_out()
    assert consent.state(PHONE, "sms") == OUT
    assert consent.state(PHONE, "whatsapp") is None
    assert say_in()
    assert consent.state(PHONE, "sms") == IN
    assert [event.state for event in consent.history(PHONE)] == ["opted_in", "opted_out"]


def test_the_same_again_is_another_line_and_nothing_new() -> None:
    assert say_out()
    since = Consent.objects.get().changed_at
    assert not say_out(words="I said stop")
    assert ConsentEvent.objects.count() == 2
    assert Consent.objects.get().changed_at == since


def test_an_older_fact_that_comes_late_revives_nobody() -> None:
    say_out(at=ago(days=1))
    assert not say_in(at=ago(days=2))
    assert consent.state(PHONE, "sms") == OUT
    assert ConsentEvent.objects.count() == 2


def test_of_two_facts_of_one_moment_the_one_recorded_later_counts() -> None:
    at = ago(days=1)
    say_out(at=at)
    say_in(at=at)
    assert consent.state(PHONE, "sms") == IN


def test_what_is_said_twice_keeps_its_later_time() -> None:
    """Else a fact between the two would win, though it is older than the last."""
    say_out(at=ago(days=9))
    say_out(at=ago(days=1))
    say_in(at=ago(days=5))
    assert consent.state(PHONE, "sms") == OUT


def test_a_clock_that_is_ahead_does_not_outlast_the_next_word() -> None:
    say_in(at=timezone.now() + timedelta(days=300))
    say_out()
    assert consent.state(PHONE, "sms") == OUT


@pytest.mark.parametrize("words", ["a\0b", "\ud83d stop", "x" * 9_000])
def test_no_words_can_cost_the_wish(words: str) -> None:
    assert say_out(words=words)
    assert len(ConsentEvent.objects.get().words) <= consent.LONGEST_WORDS


def test_what_is_no_number_or_no_channel_is_refused_and_nothing_is_stored() -> None:
    with pytest.raises(ValidationError):
        say_out(phone="0712345678")
    with pytest.raises(ValueError, match="pigeon"):
        say_in(channel="pigeon")
    assert not ConsentEvent.objects.exists()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE consent_events SET state = 'opted_in'",
        "UPDATE consent_events SET words = ''",
        "DELETE FROM consent_events",
        "DELETE FROM consent_events WHERE false",
    ],
)
def test_the_ledger_refuses_every_change(statement: str) -> None:
    say_out()
    with pytest.raises(DatabaseError, match="only ever added to"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert consent.state(PHONE, "sms") == OUT


def test_the_ledger_cannot_be_emptied() -> None:
    """The tests' own database lets it be, or tests with transactions of their own could not begin anew."""
    say_out()
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE consent_events ENABLE TRIGGER consent_events_not_emptied")
        with pytest.raises(DatabaseError, match="only ever added to"), transaction.atomic():
            cursor.execute("TRUNCATE consent_events")
        cursor.execute("ALTER TABLE consent_events DISABLE TRIGGER consent_events_not_emptied")


def test_by_set_only_what_is_new_is_added_when_known_facts_are_skipped() -> None:
    at = ago(days=3)
    facts = [Fact(f"+25471000000{n}", "sms", OUT, "import", at=at) for n in range(5)]
    assert consent.record(facts[:2]) == 2
    assert consent.record(facts, skip_known=True) == 3
    assert consent.record(facts, skip_known=True) == 0
    assert consent.record([]) == 0
    assert Consent.objects.filter(state=OUT).count() == 5


def test_what_a_provider_says_of_one_message_is_kept_once() -> None:
    told = Fact(PHONE, "sms", OUT, ConsentSource.PROVIDER, message_id=5)
    assert consent.record([told, told]) == 1
    assert consent.record([told]) == 0
    assert consent.record([Fact(PHONE, "sms", OUT, ConsentSource.PROVIDER, message_id=6)]) == 1


@pytest.mark.parametrize("required", [False, True])
def test_the_sentence_and_the_statement_say_the_same(settings: Any, required: bool) -> None:
    settings.REQUIRE_OPT_IN = required
    out, willing, silent = factories.customers(3)
    consent.opt_out(phone=out.phone, channel="sms", source="reply")
    consent.opt_in(phone=willing.phone, channel="sms", source="reply")
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT phone, {consent.refusal_sql('customers.phone')} FROM customers ORDER BY id", consent.params("sms")
        )
        found = dict(cursor.fetchall())
    expected = {out.phone: "opted_out", willing.phone: None, silent.phone: "no_consent" if required else None}
    assert found == expected
    assert {phone: consent.refusal(phone, "sms") for phone in found} == expected
    assert set(Customer.objects.opted_out("sms")) == {out}
    assert set(Customer.objects.without_consent("sms")) == {silent}


@pytest.mark.django_db(transaction=True)
def test_two_who_write_the_same_many_at_once_do_not_wait_in_a_circle() -> None:
    facts = [Fact(f"+2547{n:08d}", "sms", OUT, "import") for n in range(400)]
    faults: list[Exception] = []

    def write(order: int) -> None:
        try:
            for _round in range(5):
                consent.record(facts[::order])
        except Exception as fault:  # noqa: BLE001 (whatever it is, the test tells)
            faults.append(fault)
        finally:
            connection.close()

    threads = [threading.Thread(target=write, args=(order,)) for order in (1, -1, 1, -1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert (Consent.objects.count(), ConsentEvent.objects.count()) == (400, 8_000)


@pytest.mark.django_db(transaction=True)
def test_the_older_table_is_carried_over_with_its_sources_and_times_and_back() -> None:
    executor = MigrationExecutor(connection)
    executor.migrate([("customers", "0003_consent")])
    try:
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO opt_outs (id, channel, phone, source, created_at) VALUES"
                " (41, 'sms', %s, 'letter', '2025-01-02T03:04:05Z'), (7, 'whatsapp', %s, 'reply', '2025-02-02Z')",
                [PHONE, PHONE],
            )
    finally:
        executor = MigrationExecutor(connection)
        executor.migrate(executor.loader.graph.leaf_nodes("customers"))
    events = {event.pk: event for event in ConsentEvent.objects.all()}
    assert set(events) == {7, 41}
    assert (events[41].source, events[41].state) == ("letter", "opted_out")
    assert events[41].at == events[41].created_at == datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert {consent.state(PHONE, channel) for channel in ("sms", "whatsapp")} == {OUT}
    assert say_in()
    assert ConsentEvent.objects.latest("pk").pk > 41

    executor = MigrationExecutor(connection)
    executor.migrate([("customers", "0003_consent")])
    with connection.cursor() as cursor:
        cursor.execute("SELECT channel, source FROM opt_outs")
        assert cursor.fetchall() == [("whatsapp", "reply")]
        cursor.execute("ALTER TABLE consent_events DISABLE TRIGGER consent_events_not_emptied")
        cursor.execute("TRUNCATE consent_events, consents")
    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes("customers"))


def test_who_could_add_opt_outs_may_add_events() -> None:
    rename = import_module("customers.migrations.0004_opt_outs_become_consent")
    mine = Permission.objects.get(codename="add_consentevent")
    rename.rename_back(apps, None)
    mine.refresh_from_db()
    assert (mine.codename, mine.content_type.model) == ("add_optout", "optout")

    rename.rename_permissions(apps, None)
    mine.refresh_from_db()
    assert (mine.codename, mine.content_type.model) == ("add_consentevent", "consentevent")
