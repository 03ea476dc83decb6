"""`/metrics`: for whom, in what form, and what it says while something is away."""

import re
import time
from typing import Any, NoReturn

import pytest
from django.db import OperationalError, connections
from prometheus_client.parser import text_string_to_metric_families
from rest_framework.test import APIClient

from config.env import BASE_DIR
from messaging import board
from messaging.models import Sender
from messaging.providers.base import Accepted, Unknown
from tests.admin.conftest import client_with
from tests.api.answers import error
from tests.api.conftest import Caller
from tests.messaging.driving import sending_campaign

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("outbox", "empty_board")]

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def scraped(client: Any) -> Samples:
    """The samples as Prometheus's own parser reads them."""
    response = client.get("/metrics")
    assert response.status_code == 200, response.content
    families = text_string_to_metric_families(response.content.decode())
    samples = [sample for family in families for sample in family.samples]
    return {(sample.name, frozenset(sample.labels.items())): sample.value for sample in samples}


def value(samples: Samples, name: str, **labels: str) -> float:
    return samples[f"clarion_{name}", frozenset(labels.items())]


def test_nobody_reads_metrics_without_saying_who_they_are(anyone: APIClient) -> None:
    assert error(anyone.get("/metrics"), 401)["code"] == "not_authenticated"


def test_a_token_without_the_permission_is_told_which_one_is_missing(caller: Caller) -> None:
    answer = error(caller(["customers.view_customer"]).get("/metrics"), 403)
    assert "messaging.view_outboundmessage" in answer["detail"]


def test_a_token_and_a_session_with_the_permission_read_them(caller: Caller) -> None:
    for client in (caller(["messaging.view_outboundmessage"]), client_with(["messaging.view_outboundmessage"])):
        response = client.get("/metrics")
        assert response.status_code == 200
        assert response["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"


def test_only_reading_is_possible(api: APIClient) -> None:
    assert api.head("/metrics").status_code == 200
    for method in (api.post, api.put, api.patch, api.delete, api.options):
        assert error(method("/metrics"), 405)["code"] == "method_not_allowed"


def test_what_prometheus_says_it_accepts_is_no_reason_to_refuse(api: APIClient) -> None:
    for accept in ("application/openmetrics-text;version=1.0.0", "text/html", "nonsense"):
        assert api.get("/metrics", HTTP_ACCEPT=accept).status_code == 200


def test_the_families_say_what_the_state_says(api: APIClient) -> None:
    sending_campaign(4)
    Sender.objects.filter(alias="memory").update(rate=12.5)
    board.tally("memory", [Accepted("1"), Accepted("2"), Unknown("x")], 0.3)
    board.tally("memory", [Accepted("3")], 40)
    board.sign_of_worker("celery@a", "a:1", 8)
    board.sign_of_worker("celery@b", "b:1", 4)
    board.sign_of_clock("beat")

    found = scraped(api)

    assert value(found, "messages", status="pending") == 4
    assert value(found, "campaigns", status="sending") == 1
    assert value(found, "batches", provider="memory", state="waiting") == 1
    assert 0 <= value(found, "queue_age_seconds", provider="memory") < 10
    assert value(found, "sender_rate", sender="memory") == 12.5
    assert value(found, "sender_held_seconds", sender="memory", hold="breaker") == 0
    assert value(found, "broker_up") == 1
    assert value(found, "provider_outcomes_total", provider="memory", outcome="accepted") == 3
    assert value(found, "provider_outcomes_total", provider="memory", outcome="unknown") == 1
    assert value(found, "workers") == 2
    assert value(found, "worker_threads") == 12
    assert value(found, "worker_silent_seconds", worker="a:1") < 10
    assert value(found, "clock_silent_seconds", clock="beat") < 10
    assert ("clarion_sender_rate", frozenset({("sender", "console")})) not in found


def test_the_histogram_is_cumulative_as_prometheus_wants_it(api: APIClient) -> None:
    for seconds in (0.01, 0.3, 0.4, 40):
        board.tally("memory", [Accepted("1")], seconds)

    found = scraped(api)

    ends = {"0.025": 1, "0.25": 1, "0.5": 3, "30.0": 3, "+Inf": 4}
    for end, count in ends.items():
        assert value(found, "provider_call_seconds_bucket", provider="memory", le=end) == count
    assert value(found, "provider_call_seconds_count", provider="memory") == 4
    assert value(found, "provider_call_seconds_sum", provider="memory") == pytest.approx(40.71)


def test_every_name_carries_our_prefix_and_no_process_of_many_tells_of_itself(api: APIClient) -> None:
    board.tally("memory", [Accepted("1")], 0.1)
    assert {name.partition("_")[0] for name, _labels in scraped(api)} == {"clarion"}


@pytest.mark.parametrize("listens", [True, False])
def test_without_redis_its_families_are_left_out_within_two_seconds(
    api: APIClient, settings: Any, silence: int, nobody_listens: int, listens: bool
) -> None:
    board.tally("memory", [Accepted("1")], 0.1)
    settings.REDIS_URL = f"redis://127.0.0.1:{silence if listens else nobody_listens}/0"

    begun = time.monotonic()
    found = scraped(api)

    assert time.monotonic() - begun < 2.5
    assert value(found, "broker_up") == 0
    assert value(found, "messages", status="pending") == 0
    assert not [name for name, _ in found if name.startswith(("clarion_provider", "clarion_worker", "clarion_clock"))]


def test_without_the_database_the_answer_is_a_503_with_a_sentence(
    api: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_args: object, **_kwargs: object) -> NoReturn:
        raise OperationalError("connection refused")

    monkeypatch.setattr(connections["default"], "cursor", refuse)

    response = api.get("/metrics")

    assert response.status_code == 503
    assert response.json() == {
        "type": "server_error",
        "errors": [{"code": "database_away", "detail": "The database does not answer.", "attr": None}],
    }


def test_the_operators_page_explains_every_metric_and_no_other(api: APIClient) -> None:
    board.tally("memory", [Accepted("1")], 0.1)
    types = re.findall(r"^# TYPE (\w+)", api.get("/metrics").content.decode(), re.MULTILINE)
    page = (BASE_DIR / "docs" / "operations.md").read_text()
    table = page[page.index("### The metrics") : page.index("```yaml\ngroups")]
    assert set(re.findall(r"clarion_\w+", table)) == set(types)
