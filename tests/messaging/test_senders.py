"""Senders: their rows, their rates, and where they stand."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.db.models.functions import Now
from django.utils import timezone

from messaging import senders
from messaging.checks import every_rate_is_a_number
from messaging.models import Sender, SenderState

pytestmark = pytest.mark.django_db


def provider(**entry: Any) -> dict[str, Any]:
    return {"memory": {"BACKEND": "messaging.providers.memory.Memory"} | entry}


def standing(alias: str) -> senders.Standing:
    [found] = [each for each in senders.standings() if each.alias == alias]
    return found


def test_migrating_makes_a_row_for_every_configured_alias(settings: Any) -> None:
    assert set(Sender.objects.values_list("alias", flat=True)) == set(settings.MESSAGE_PROVIDERS)


def test_a_new_alias_gets_its_row_when_the_database_is_migrated_again_and_no_other_is_touched(settings: Any) -> None:
    Sender.objects.filter(alias="memory").update(rate=7)
    before = set(Sender.objects.values_list("pk", flat=True))
    settings.MESSAGE_PROVIDERS = settings.MESSAGE_PROVIDERS | {"vendor": {"BACKEND": "x.Y"}}

    call_command("migrate", verbosity=0)
    senders.ensure()

    assert set(Sender.objects.exclude(alias="vendor").values_list("pk", flat=True)) == before
    assert Sender.objects.get(alias="memory").rate == 7
    assert Sender.objects.filter(alias="vendor").count() == 1


def test_what_people_set_goes_before_the_settings_and_without_both_there_is_no_limit(settings: Any) -> None:
    assert standing("memory").rate is None
    settings.MESSAGE_PROVIDERS = provider(RATE=20)
    assert standing("memory").rate == 20
    Sender.objects.filter(alias="memory").update(rate=0.5)
    assert standing("memory").rate == 0.5


def test_a_sender_without_a_state_runs() -> None:
    assert standing("memory") == senders.Standing("memory", None)
    assert standing("memory").sentence == "running"


def test_a_sender_at_its_limit_says_for_how_long() -> None:
    SenderState.objects.create(alias="memory", free_at=Now() + timedelta(seconds=30))
    found = standing("memory")
    assert 25 < found.wait_seconds <= 30
    assert found.sentence.startswith("waiting for its limit, ")


def test_a_limit_that_passed_is_no_negative_level() -> None:
    SenderState.objects.create(alias="memory", free_at=Now() - timedelta(hours=1))
    assert standing("memory").wait_seconds == 0


@pytest.mark.parametrize(
    ("hold", "words"), [("throttled", "slowed down by the provider until "), ("breaker", "breaker open until ")]
)
def test_a_held_sender_says_why_and_until_when(hold: str, words: str) -> None:
    until = timezone.now() + timedelta(minutes=5)
    SenderState.objects.create(alias="memory", hold=hold, held_until=until, failures=4)
    found = standing("memory")
    assert (found.hold, found.held_until, found.failures) == (hold, until, 4)
    assert 290 < found.held_seconds <= 300
    assert found.sentence == f"{words}{until:%H:%M:%S} UTC"


def test_a_hold_that_is_over_is_none() -> None:
    SenderState.objects.create(alias="memory", hold="breaker", held_until=Now() - timedelta(seconds=1), failures=9)
    found = standing("memory")
    assert (found.hold, found.held_until, found.held_seconds, found.failures) == ("", None, 0, 9)
    assert found.sentence == "running"


def test_an_account_that_is_no_longer_configured_is_still_shown() -> None:
    Sender.objects.create(alias="former", rate=3)
    SenderState.objects.create(alias="ghost")
    assert standing("former").rate == 3
    assert standing("ghost").rate is None


@pytest.mark.parametrize("rate", [0, -1, 0.001, True, "20", None, float("inf"), float("nan")])
def test_a_rate_that_is_none_stops_the_process_with_a_sentence(settings: Any, rate: Any) -> None:
    settings.MESSAGE_PROVIDERS = provider(RATE=rate)
    [mistake] = every_rate_is_a_number()
    assert mistake.id == "messaging.E010"
    assert "'memory'" in mistake.msg


@pytest.mark.parametrize("entry", [{}, {"RATE": 0.01}, {"RATE": 100}, {"RATE": 2.5}])
def test_rates_that_make_sense_pass(settings: Any, entry: dict[str, Any]) -> None:
    settings.MESSAGE_PROVIDERS = provider(**entry)
    assert every_rate_is_a_number() == []
