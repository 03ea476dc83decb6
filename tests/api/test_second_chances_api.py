"""Retry and settle through the API."""

import json
from typing import Any

import pytest
from rest_framework.test import APIClient

from campaigns.models import Campaign
from messaging.models import OutboundMessage
from messaging.providers.base import Envelope, GiveUp, Outcome, Unknown
from messaging.providers.memory import Memory, accept
from messaging.reasons import OF_FAILED, Reason
from tests.api.answers import error, refusal
from tests.api.conftest import Caller
from tests.messaging.driving import deliver_due, sending_campaign, stats

pytestmark = pytest.mark.django_db

URL = "/api/v1/campaigns"


@pytest.fixture
def ended(outbox: Memory) -> Campaign:
    """A campaign of six, of which two each were sent, failed and are unknown; the provider is well again."""
    outcomes: list[Outcome | None] = [None, GiveUp("no such number"), Unknown("no answer")] * 2

    def answer(envelope: Envelope) -> Outcome:
        return outcomes.pop() or accept(envelope)

    campaign = sending_campaign(6)
    outbox.answer = answer
    deliver_due()
    outbox.clear()
    assert stats(campaign) == {"sent": 2, "failed": 2, "unknown": 2}
    return campaign


def post(api: APIClient, campaign: Campaign, verb: str, body: Any) -> Any:
    return api.generic("POST", f"{URL}/{campaign.pk}/{verb}", json.dumps(body), "application/json")


@pytest.mark.parametrize("body", [{}, {"reasons": ["rejected"]}, {"reasons": ["rejected", "retries_exhausted"]}])
def test_a_retry_answers_at_once_with_exactly_these_numbers(api: APIClient, ended: Campaign, body: Any) -> None:
    response = post(api, ended, "retry", body)

    assert response.status_code == 202
    assert response.json() == {"campaign": ended.pk, "messages_queued": 2, "status": "sending"}
    assert stats(ended) == {"sent": 2, "pending": 2, "unknown": 2}
    deliver_due()
    assert stats(ended) == {"sent": 4, "unknown": 2}


def test_a_retry_needs_no_body(api: APIClient, ended: Campaign) -> None:
    assert api.post(f"{URL}/{ended.pk}/retry").json()["messages_queued"] == 2


def test_a_resend_queues_the_unknown(api: APIClient, ended: Campaign) -> None:
    response = post(api, ended, "settle", {"unknown": "resend"})

    assert response.status_code == 202
    assert response.json() == {"campaign": ended.pk, "messages_queued": 2, "status": "sending", "left": 0}
    deliver_due()
    assert stats(ended) == {"sent": 4, "failed": 2}


def test_leaving_them_says_how_many_stay(api: APIClient, ended: Campaign) -> None:
    response = post(api, ended, "settle", {"unknown": "leave"})

    assert response.status_code == 202
    assert response.json() == {"campaign": ended.pk, "messages_queued": 0, "status": "sent", "left": 2}
    assert stats(ended) == {"sent": 2, "failed": 2, "unknown": 2}


NOT_OF_FAILED = sorted(set(Reason) - set(OF_FAILED))


@pytest.mark.parametrize(
    ("verb", "body", "expected"),
    [
        ("retry", [], ("invalid", "non_field_errors")),
        ("retry", "all", ("invalid", "non_field_errors")),
        ("retry", {"reasons": []}, ("min_length", "reasons")),
        ("retry", {"reasons": None}, ("null", "reasons")),
        ("retry", {"reasons": "rejected"}, ("not_a_list", "reasons")),
        ("retry", {"reasons": {"rejected": 1}}, ("not_a_list", "reasons")),
        ("retry", {"reasons": ["bad luck"]}, ("invalid_choice", "reasons.0")),
        ("retry", {"reasons": ["rejected", 5]}, ("invalid_choice", "reasons.1")),
        ("retry", {"reasons": ["rejected", None]}, ("null", "reasons.1")),
        ("retry", {"reasons": [["rejected"]]}, ("invalid_choice", "reasons.0")),
        ("retry", {"reasons": ["rejected"] * 9}, ("max_length", "reasons")),
        ("retry", {"reasons": ["expired"]}, ("nobody", "reasons")),
        ("retry", {"unknown": "resend"}, ("unknown_field", "unknown")),
        *(("retry", {"reasons": [reason]}, ("invalid_choice", "reasons.0")) for reason in NOT_OF_FAILED),
        ("settle", {}, ("required", "unknown")),
        ("settle", [], ("invalid", "non_field_errors")),
        ("settle", {"unknown": "send"}, ("invalid_choice", "unknown")),
        ("settle", {"unknown": None}, ("null", "unknown")),
        ("settle", {"unknown": ["resend"]}, ("invalid_choice", "unknown")),
        ("settle", {"unknown": "resend", "reasons": []}, ("unknown_field", "reasons")),
    ],
)
def test_what_was_sent_wrong_is_named_and_nothing_is_changed(
    api: APIClient, ended: Campaign, verb: str, body: Any, expected: tuple[str, str]
) -> None:
    assert refusal(post(api, ended, verb, body)) == expected
    assert stats(ended) == {"sent": 2, "failed": 2, "unknown": 2}
    ended.refresh_from_db()
    assert ended.status == "sent"


def test_nobody_to_retry_or_resend_is_400(api: APIClient, outbox: Memory) -> None:
    campaign = sending_campaign(1)
    deliver_due()

    assert refusal(post(api, campaign, "retry", {})) == ("nobody", "reasons")
    assert refusal(post(api, campaign, "settle", {"unknown": "resend"})) == ("nobody", "unknown")
    assert post(api, campaign, "settle", {"unknown": "leave"}).json()["left"] == 0


@pytest.mark.parametrize(
    ("verb", "body"), [("retry", {}), ("settle", {"unknown": "resend"}), ("settle", {"unknown": "leave"})]
)
def test_a_campaign_that_has_not_ended_is_409_with_the_campaign(
    api: APIClient, outbox: Memory, verb: str, body: Any
) -> None:
    campaign = sending_campaign(1)

    found = error(post(api, campaign, verb, body), 409)

    assert (found["code"], found["campaign"]["id"], found["campaign"]["status"]) == (
        "illegal_transition", campaign.pk, "sending",
    )  # fmt: skip
    assert found["campaign"]["stats"]["pending"] == 1
    assert OutboundMessage.objects.filter(status="pending").count() == 1


def test_a_repeated_retry_is_refused_and_does_nothing_twice(api: APIClient, ended: Campaign) -> None:
    assert post(api, ended, "retry", {}).status_code == 202
    assert error(post(api, ended, "retry", {}), 409)["code"] == "illegal_transition"
    assert stats(ended)["pending"] == 2


@pytest.mark.parametrize(("verb", "body"), [("retry", {}), ("settle", {"unknown": "leave"})])
def test_who_may_not_send_may_not_give_a_second_chance(caller: Caller, ended: Campaign, verb: str, body: Any) -> None:
    looker = caller(["campaigns.view_campaign", "campaigns.change_campaign"])
    sender = caller(["campaigns.send_campaign"])

    assert "campaigns.send_campaign" in error(post(looker, ended, verb, body), 403)["detail"]
    assert post(sender, ended, verb, body).status_code == 202
