"""Whose turn it is, and how many threads an account may keep busy."""

from collections import Counter
from contextlib import ExitStack

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError
from pytest_django import Settings

from messaging import leases
from messaging.leases import Lease
from messaging.models import MessageBatch, Sender
from messaging.seats import Seats
from messaging.turns import Candidate, choose
from tests.messaging.driving import sending_campaign

MEMORY = {"BACKEND": "messaging.providers.memory.Memory"}


def shares(weights: dict[int, int], turns: int, first: int = 1) -> dict[int, float]:
    candidates = [Candidate(campaign, "a", weight) for campaign, weight in weights.items()]
    counts = Counter(choose(candidates, turn).campaign_id for turn in range(first, first + turns))
    return {campaign: counts[campaign] / turns for campaign in weights}


@pytest.mark.parametrize("first", [1, 1_000_003, 2**40])
@pytest.mark.parametrize("weights", [{1: 1, 2: 1}, {1: 3, 2: 1}, {1: 100, 2: 1, 3: 9}, {1: 2, 2: 3, 3: 5, 4: 7}])
def test_turns_are_shared_in_proportion_to_the_weights_within_few_of_them(weights: dict[int, int], first: int) -> None:
    found = shares(weights, 200, first)
    for campaign, weight in weights.items():
        assert found[campaign] == pytest.approx(weight / sum(weights.values()), abs=0.02)


def test_a_single_campaign_gets_every_turn() -> None:
    assert shares({7: 1}, 50) == {7: 1.0}


@pytest.mark.django_db
@pytest.mark.usefixtures("outbox")
def test_batches_are_taken_from_running_campaigns_by_their_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("messaging.rows.BATCH", 1)
    light, heavy = sending_campaign(60), sending_campaign(60, weight=3)

    taken = Counter(lease.campaign_id for lease in (leases.take() for _ in range(40)) if lease)

    assert taken[light.pk] + taken[heavy.pk] == 40
    assert 28 <= taken[heavy.pk] <= 32


@pytest.mark.django_db
@pytest.mark.usefixtures("outbox")
def test_when_a_campaign_has_no_batch_left_the_others_get_its_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("messaging.rows.BATCH", 1)
    sending_campaign(2, weight=100)
    sending_campaign(8)
    assert len([lease for lease in (leases.take() for _ in range(12)) if lease]) == 10


def batches_of(settings: Settings, **counts: int) -> None:
    """Due batches of one message each, by alias of their provider."""
    settings.MESSAGE_PROVIDERS = dict.fromkeys(counts, MEMORY)
    for alias, count in counts.items():
        settings.MESSAGE_ROUTES = {"sms": alias, "whatsapp": alias}
        sending_campaign(count)


def seated(seats: Seats, stack: ExitStack, tries: int) -> Counter[str]:
    found = (stack.enter_context(seats.lease()) for _ in range(tries))
    return Counter(lease.provider for lease in found if lease)


@pytest.fixture
def _single(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("messaging.rows.BATCH", 1)


@pytest.mark.django_db
@pytest.mark.usefixtures("outbox", "_single")
@pytest.mark.parametrize(("threads", "most"), [(1, 1), (2, 1), (4, 2), (8, 4)])
def test_an_account_gets_half_of_the_threads_at_most(threads: int, most: int, settings: Settings) -> None:
    batches_of(settings, slow=20)
    with ExitStack() as stack:
        assert seated(Seats(threads), stack, 12) == {"slow": most}


@pytest.mark.django_db
@pytest.mark.usefixtures("outbox", "_single")
def test_two_accounts_that_hang_leave_two_threads_for_everything_else(settings: Settings) -> None:
    batches_of(settings, slow=20, slower=20)
    with ExitStack() as stack:
        assert seated(Seats(8), stack, 20).total() == 6


@pytest.mark.django_db
@pytest.mark.usefixtures("outbox", "_single")
def test_a_seat_is_free_again_when_its_batch_was_delivered_or_failed(settings: Settings) -> None:
    batches_of(settings, slow=20)
    seats = Seats(2)

    def fail() -> None:
        with seats.lease() as lease:
            assert isinstance(lease, Lease)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with seats.lease() as lease:
        assert lease is not None
        with seats.lease() as another:
            assert another is None


@pytest.mark.django_db
def test_the_database_refuses_batches_of_one_campaign_that_overlap() -> None:
    campaign, other = sending_campaign(3), sending_campaign(3)
    batch = MessageBatch.objects.get(campaign=campaign)
    span = {"provider": "x", "first_id": batch.last_id, "last_id": batch.last_id + 50}
    MessageBatch.objects.filter(campaign=other).delete()
    MessageBatch.objects.create(campaign=other, **span)

    with pytest.raises(IntegrityError, match="message_batches_no_overlap"):
        MessageBatch.objects.create(campaign=campaign, **span)


@pytest.mark.django_db
@pytest.mark.parametrize("rate", [0, -1, 0.001])
def test_a_rate_that_lets_nothing_out_is_refused(rate: float) -> None:
    with pytest.raises(ValidationError):
        Sender(alias="x", rate=rate).full_clean()
