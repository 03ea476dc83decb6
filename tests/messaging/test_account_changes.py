"""An alias that is pointed at another account: the new one never got what the old one may have delivered."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from campaigns.models import Campaign
from messaging import accounts, delivery, leases, look_ups, providers, recovery, secrets, senders
from messaging.accounts import Account
from messaging.models import AccountChange
from messaging.providers.base import Accepted, GiveUp
from tests.messaging.driving import deliver_due, expire_leases, sending_campaign, stats, statuses
from tests.messaging.knowing import Knowing, knowing
from tests.messaging.renting import Rented, rent, rented

pytestmark = pytest.mark.django_db
__all__ = ["knowing", "rented"]


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A process that has noticed nothing yet, and a provider that knows at once what it will never know."""
    monkeypatch.setattr(look_ups, "CERTAIN_SECONDS", 0.0)
    look_ups._noticed.clear()
    yield
    look_ups._noticed.clear()


def unknown() -> Campaign:
    campaign = sending_campaign(1)
    deliver_due()
    assert stats(campaign) == {"unknown": 1}
    return campaign


def point_elsewhere(settings: Settings, in_flight: int = 4) -> Knowing:
    """Make the alias stand for another account, which was never given anything."""
    entry = {"BACKEND": "tests.messaging.knowing.Knowing", "OPTIONS": {"in_flight": in_flight}}
    settings.MESSAGE_PROVIDERS = settings.MESSAGE_PROVIDERS | {"knowing": entry}
    other = providers.get("knowing")
    assert isinstance(other, Knowing)
    other.tells = lambda _reference: GiveUp("never heard of it")
    return other


def let_pass(seconds: float, *, changes: float = 0.0) -> None:
    """As if every message had become what it is so much earlier, and accounts been changed."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE outbound_messages SET due_at = due_at - make_interval(secs => %s),"
            " updated_at = updated_at - make_interval(secs => %s)",
            [seconds, seconds],
        )
        cursor.execute("UPDATE account_changes SET changed_at = changed_at - make_interval(secs => %s)", [changes])


def test_what_the_new_account_never_got_stays_unknown(knowing: Knowing, settings: Settings) -> None:
    campaign = unknown()
    other = point_elsewhere(settings)
    let_pass(10)

    assert look_ups.look_up_due() == 0

    assert len(other.asked) == 1
    assert statuses(campaign) == ["unknown"]


def test_that_it_has_it_is_believed_whoever_says_so(knowing: Knowing, settings: Settings) -> None:
    campaign = unknown()
    point_elsewhere(settings).tells = lambda _reference: Accepted("moved-along")
    let_pass(10)

    assert look_ups.look_up_due() == 1
    assert statuses(campaign) == ["sent"]


def test_the_same_account_is_believed_also_in_another_process(knowing: Knowing) -> None:
    campaign = unknown()
    knowing.tells = lambda _reference: GiveUp("never heard of it")
    look_ups._noticed.clear()
    let_pass(10)

    assert look_ups.look_up_due() == 1
    assert statuses(campaign) == ["failed"]
    assert AccountChange.objects.get().changed_at is None


def test_an_account_that_changes_while_it_is_asked_is_not_believed(knowing: Knowing, settings: Settings) -> None:
    campaign = unknown()

    def tells(_reference: str) -> GiveUp:
        point_elsewhere(settings)
        return GiveUp("never heard of it")

    knowing.tells = tells
    let_pass(10)

    assert look_ups.look_up_due() == 0
    assert statuses(campaign) == ["unknown"]


def test_what_is_handed_over_long_after_the_change_is_asked_as_ever(knowing: Knowing, settings: Settings) -> None:
    unknown()
    point_elsewhere(settings)
    look_ups.notice("knowing")
    let_pass(0, changes=look_ups.HANDED_OVER_SECONDS + 20)
    later = unknown()
    let_pass(10)

    look_ups.look_up_due()

    assert statuses(later) == ["failed"]


def test_what_a_lost_worker_gave_the_old_account_is_not_judged_by_the_new_one(
    knowing: Knowing, settings: Settings
) -> None:
    campaign = sending_campaign(1)
    lease = leases.take()
    assert lease is not None
    look_ups.notice("knowing")
    delivery._mark(lease, after=0, limit=1)
    point_elsewhere(settings)
    look_ups.notice("knowing")
    expire_leases()
    assert list(recovery.reclaim()) == [1]
    let_pass(10)

    assert look_ups.look_up_due() == 0
    assert statuses(campaign) == ["unknown"]


def test_it_costs_one_statement_a_process_and_none_a_slice(knowing: Knowing) -> None:
    unknown()
    noticed = AccountChange.objects.get().noticed_at

    unknown()

    assert AccountChange.objects.get().noticed_at == noticed < timezone.now()


def changed() -> bool:
    look_ups.notice("line")
    return AccountChange.objects.get(alias="line").changed_at is not None


@pytest.mark.parametrize(
    ("fields", "is_another"),
    [
        ({"rate": 3.0}, False),
        ({"kind": "transactional"}, False),
        ({"options": {"sender_id": "Duka"}}, True),
        ({"sealed": {"token": "another-token"}}, True),
        ({"sealed": {"token": "hush-hush-7f3a"}}, False),
    ],
)
def test_a_sender_is_another_account_by_its_options_and_credentials(
    rented: list[Rented], fields: dict[str, Any], is_another: bool
) -> None:
    sender = rent()
    assert not changed()

    for name, value in fields.items():
        setattr(sender, name, secrets.seal(value) if name == "sealed" else value)
    senders.save(sender)

    assert changed() is is_another


def test_new_keys_make_no_other_account(rented: list[Rented]) -> None:
    rent()
    assert not changed()

    assert senders.rotate() == (1, [])
    accounts.forget()

    assert not changed()


def test_a_credential_in_the_environment_counts_as_what_it_is(
    rented: list[Rented], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LINE_TOKEN", "one")
    account = accounts.of(rent(token="env:LINE_TOKEN"))
    before = accounts.digest(account)

    monkeypatch.setenv("LINE_TOKEN", "two")

    assert accounts.digest(account) not in (before, "")


@pytest.mark.parametrize(
    "account", [Account("line", ""), Account("line", "gone"), Account("x", "no.Such", from_settings=True)]
)
def test_an_account_of_which_nothing_can_be_made_has_no_digest(account: Account) -> None:
    assert accounts.digest(account) == ""
