"""The first start: admin, token and demo data, made once however often and by however many."""

import threading
from collections.abc import Callable
from typing import Any, ClassVar

import phonenumbers
import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connections
from django.db.models import F

from campaigns.models import Campaign
from config import demo, demo_customers
from config.models import ApiToken
from customers.models import Consent, Customer
from messaging.audit import audit
from messaging.models import MessageBatch, OutboundMessage
from messaging.providers import simulated_replies
from tests.factories import CampaignFactory, CustomerFactory

pytestmark = pytest.mark.django_db
TOKEN = "a-token-of-more-than-thirty-two-characters"
Bootstrap = Callable[..., None]


@pytest.fixture
def bootstrap(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Bootstrap:
    """Run the command with this environment."""
    for name in ("ADMIN_PASSWORD", "API_TOKEN"):
        monkeypatch.delenv(name, raising=False)

    def run(customers: int = 0, **environment: str) -> None:
        settings.DEMO_CUSTOMERS = customers
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        call_command("bootstrap", verbosity=0)

    return run


def test_the_admin_is_made_once_and_gets_a_changed_password(bootstrap: Bootstrap) -> None:
    bootstrap(ADMIN_PASSWORD="first")
    admin = User.objects.get(username="admin")
    assert admin.is_superuser
    assert admin.is_staff
    assert admin.check_password("first")
    bootstrap(ADMIN_PASSWORD="first")
    assert User.objects.get().password == admin.password
    bootstrap(ADMIN_PASSWORD="second")
    assert User.objects.get().check_password("second")


def test_without_a_password_and_a_token_nobody_is_made(bootstrap: Bootstrap) -> None:
    bootstrap()
    assert not User.objects.exists()
    assert not ApiToken.objects.exists()


def test_the_token_is_made_once(bootstrap: Bootstrap) -> None:
    bootstrap(API_TOKEN=TOKEN)
    bootstrap(API_TOKEN=TOKEN)
    user = ApiToken.objects.get().user
    assert user.username == "api"
    assert user.has_perm("campaigns.send_campaign")


def test_a_token_that_is_too_short_stops_with_a_sentence(bootstrap: Bootstrap) -> None:
    with pytest.raises(CommandError, match=r"API_TOKEN: .*at least 32"):
        bootstrap(API_TOKEN="short")


def test_a_negative_number_of_customers_stops_with_a_sentence(bootstrap: Bootstrap) -> None:
    with pytest.raises(CommandError, match="DEMO_CUSTOMERS"):
        bootstrap(-1)


def test_demo_data_is_made_in_an_empty_database_only(bootstrap: Bootstrap) -> None:
    bootstrap(700)
    bootstrap(700)
    assert Customer.objects.count() == 700
    assert Campaign.objects.count() == 4


def test_none_is_made_beside_anything_of_the_owners(bootstrap: Bootstrap) -> None:
    customer = CustomerFactory.create()
    bootstrap(700)
    assert Customer.objects.count() == 1
    customer.delete()
    CampaignFactory.create()
    bootstrap(700)
    assert not Customer.objects.exists()


def test_zero_customers_means_no_demo_data(bootstrap: Bootstrap) -> None:
    bootstrap(0)
    assert not Campaign.objects.exists()


def test_four_campaigns_show_four_states(bootstrap: Bootstrap) -> None:
    bootstrap(700, ADMIN_PASSWORD="secret")
    states = dict(Campaign.objects.values_list("id", "status"))
    assert states == {
        demo.SENT_ID: "sent",
        demo.PAUSED_ID: "paused",
        demo.SCHEDULED_ID: "scheduled",
        demo.DRAFT_ID: "draft",
    }
    sent, paused, scheduled = (Campaign.objects.get(pk=pk).progress for pk in (1, 2, 3))
    assert sent.total == demo.HISTORY
    assert all([sent.sent, sent.delivered, sent.read, sent.failed, sent.unknown, sent.skipped])
    assert (sent.pending, sent.sending) == (0, 0)
    assert paused.pending
    assert paused.sent
    assert scheduled.pending
    assert scheduled.skipped
    assert all(audit(campaign)["consistent"] for campaign in Campaign.objects.all())
    assert not any(item["what"] == "pending_in_no_batch" for pk in states for item in audit(Campaign(pk=pk))["stuck"])


def test_what_is_over_leaves_nothing_to_do_and_lies_in_the_past(bootstrap: Bootstrap) -> None:
    bootstrap(700)
    campaign = Campaign.objects.get(pk=demo.SENT_ID)
    assert not MessageBatch.objects.filter(campaign=campaign).exists()
    assert campaign.started_at
    assert campaign.ended_at
    assert Customer.objects.get(pk=1).created_at < campaign.created_at < campaign.started_at < campaign.ended_at
    messages = OutboundMessage.objects.filter(campaign=campaign)
    assert not messages.filter(sent_at__gt=campaign.ended_at).exists()
    assert not messages.filter(delivered_at__lt=F("sent_at")).exists()
    assert not messages.filter(delivered_at__isnull=False, sent_at__isnull=True).exists()


def test_some_have_opted_out_and_the_draft_would_skip_them(bootstrap: Bootstrap) -> None:
    bootstrap(700)
    assert Consent.objects.filter(channel="sms").count() > 3
    assert Consent.objects.filter(channel="whatsapp").count() > 3


def test_the_next_customer_and_the_next_campaign_get_the_next_id(bootstrap: Bootstrap) -> None:
    bootstrap(50)
    assert CustomerFactory.create(phone="+254799999999").pk > 50
    assert CampaignFactory.create().pk > 4


@pytest.mark.parametrize("amount", [1, 16, 17, 299])
def test_few_customers_are_enough(bootstrap: Bootstrap, amount: int) -> None:
    bootstrap(amount)
    assert Customer.objects.count() == amount
    assert Campaign.objects.count() == 4


@pytest.mark.django_db(transaction=True)
def test_several_at_once_make_it_once(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADMIN_PASSWORD", "secret")
    monkeypatch.setenv("API_TOKEN", TOKEN)
    settings.DEMO_CUSTOMERS = 300
    failures: list[BaseException] = []
    start = threading.Barrier(3)

    def run() -> None:
        start.wait()
        try:
            call_command("bootstrap", verbosity=0)
        except BaseException as fault:  # noqa: BLE001  (told by the assertion below)
            failures.append(fault)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    assert Customer.objects.count() == 300
    assert Campaign.objects.count() == 4
    assert set(User.objects.values_list("username", flat=True)) == {"admin", "api"}


class TestPeople:
    """The rows themselves, without a database."""

    people: ClassVar = list(demo_customers.rows(10_000))

    def test_they_are_the_same_every_time_and_more_begin_with_the_same(self) -> None:
        assert list(demo_customers.rows(500)) == self.people[:500]

    def test_every_phone_is_valid_and_nobody_elses(self) -> None:
        phones = [str(row[1]) for row in self.people]
        assert len(set(phones)) == len(phones)
        assert all(phonenumbers.is_valid_number(phonenumbers.parse(phone)) for phone in phones[::7])

    def test_most_are_kenyan_mobiles_and_some_are_from_elsewhere(self) -> None:
        kenyan = sum(str(row[1]).startswith(("+2547", "+25411")) for row in self.people)
        assert 8_000 < kenyan < 9_500
        prefixes = ("+255", "+256", "+1", "+33", "+86", "+251", "+20")
        assert all(any(str(row[1]).startswith(prefix) for row in self.people) for prefix in prefixes)

    def test_every_behaviour_of_the_simulator_shows_but_the_one_that_stops_all(self) -> None:
        special = [str(row[1])[-4:] for row in self.people if str(row[1])[-4:] >= "9990"]
        assert len(special) == 10
        assert set(special) == {str(suffix) for suffix in range(9990, 10_000)} - {"9998"}

    def test_some_write_back_an_opt_out_and_thanks_among_the_first_thousand(self) -> None:
        special = [str(row[1])[-4:] for row in self.people if "9980" <= str(row[1])[-4:] < "9990"]
        assert special[:2] == ["9980", "9981"]
        assert {row: special.count(row) for row in special} == dict.fromkeys(simulated_replies.WORDS, 4)
        assert len([row for row in self.people[:1_000] if str(row[1])[-4:] in simulated_replies.WORDS]) == 2

    @pytest.mark.parametrize("column", range(2, 9))
    def test_every_field_is_filled_for_some_and_empty_for_others(self, column: int) -> None:
        values = [row[column] for row in self.people]
        empty = sum(value in ("", "{}") for value in values)
        assert 0 < empty < len(values)

    def test_names_are_of_many_scripts(self) -> None:
        letters = "".join(f"{row[2]}{row[3]}{row[5]}" for row in self.people)
        for sample in ("'", "’", "é", "م", "王", "ሰ", "🎉", "👶", "-"):
            assert sample in letters
