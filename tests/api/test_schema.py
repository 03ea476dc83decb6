"""The OpenAPI document and the page that shows it."""

import re
from typing import Any

import pytest
import yaml
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.validation import validate_schema
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from rest_framework.test import APIClient

from messaging.models import OutboundMessage
from messaging.providers.base import GiveUp
from messaging.providers.memory import Memory
from tests.api.conftest import Caller, user_with
from tests.factories import CampaignFactory, customers
from tests.messaging.driving import deliver_due, sending_campaign

pytestmark = pytest.mark.django_db

CALLS = {
    ("/api/v1/campaigns", "get"): {"400", "401", "403"},
    ("/api/v1/campaigns", "post"): {"400", "401", "403", "413", "415"},
    ("/api/v1/campaigns/{id}", "get"): {"401", "403", "404"},
    ("/api/v1/campaigns/{id}", "patch"): {"400", "401", "403", "404", "409", "413", "415"},
    ("/api/v1/campaigns/{id}", "delete"): {"401", "403", "404", "409"},
    ("/api/v1/campaigns/{id}/send", "post"): {"400", "401", "403", "404", "409", "413", "415"},
    ("/api/v1/campaigns/{id}/preview", "post"): {"400", "401", "403", "404", "413", "415"},
    ("/api/v1/campaigns/{id}/pause", "post"): {"401", "403", "404", "409"},
    ("/api/v1/campaigns/{id}/resume", "post"): {"401", "403", "404", "409"},
    ("/api/v1/campaigns/{id}/cancel", "post"): {"401", "403", "404", "409"},
    ("/api/v1/campaigns/{id}/unschedule", "post"): {"401", "403", "404", "409"},
    ("/api/v1/campaigns/{id}/retry", "post"): {"400", "401", "403", "404", "409", "413", "415"},
    ("/api/v1/campaigns/{id}/settle", "post"): {"400", "401", "403", "404", "409", "413", "415"},
    ("/api/v1/campaigns/{id}/audit", "get"): {"401", "403", "404"},
    ("/api/v1/campaigns/{id}/reasons", "get"): {"401", "403", "404"},
    ("/api/v1/campaigns/{campaign}/messages", "get"): {"400", "401", "403", "404"},
    ("/api/v1/messages", "get"): {"400", "401", "403"},
    ("/api/v1/messages/{id}", "get"): {"401", "403", "404"},
    ("/api/v1/customers", "get"): {"400", "401", "403"},
    ("/api/v1/customers", "post"): {"400", "401", "403", "409", "413", "415"},
    ("/api/v1/customers/{id}", "get"): {"401", "403", "404"},
    ("/api/v1/customers/{id}", "patch"): {"400", "401", "403", "404", "409", "413", "415"},
    ("/api/v1/customers/{id}", "delete"): {"401", "403", "404"},
    ("/api/v1/senders", "get"): {"400", "401", "403"},
    ("/api/v1/customers/{id}/consent", "get"): {"401", "403", "404"},
    ("/api/v1/customers/{id}/consent", "post"): {"400", "401", "403", "404", "413", "415"},
    ("/api/v1/customers/{id}/timeline", "get"): {"401", "403", "404"},
    ("/api/v1/replies", "get"): {"400", "401", "403"},
    ("/api/v1/replies/{id}", "get"): {"401", "403", "404"},
    ("/api/v1/schema", "get"): {"401"},
}


@pytest.fixture
def document(api: APIClient) -> dict[str, Any]:
    response = api.get("/api/v1/schema", HTTP_ACCEPT="application/json")
    assert response.status_code == 200
    assert response["Content-Type"] == "application/json"
    return dict(response.json())


def test_the_document_is_valid_openapi_3_1_and_made_without_a_warning(document: dict[str, Any]) -> None:
    validate_schema(document)  # type: ignore[no-untyped-call]
    assert document["openapi"].startswith("3.1")

    with GENERATOR_STATS.silence():
        GENERATOR_STATS.reset()
        SchemaGenerator().get_schema(public=True)  # type: ignore[no-untyped-call]
        assert not GENERATOR_STATS


def test_it_has_every_call_with_the_errors_it_may_answer(document: dict[str, Any]) -> None:
    found = {
        (path, method): {code for code in call["responses"] if code.startswith("4")}
        for path, methods in document["paths"].items()
        for method, call in methods.items()
    }

    assert found.keys() == CALLS.keys()
    assert {call: codes - found[call] for call, codes in CALLS.items() if codes - found[call]} == {}
    assert all("409" not in codes for call, codes in found.items() if "409" not in CALLS[call])


def test_answers_are_as_the_document_says(api: APIClient, document: dict[str, Any], outbox: Memory) -> None:
    person, other = customers(2, attributes={"plan": "gold"}, language="sw")
    fresh, sent = CampaignFactory.create(), CampaignFactory.create()
    failed = sending_campaign(1)
    outbox.answer = lambda _envelope: GiveUp("no such number")
    deliver_due()
    me, people = f"/api/v1/campaigns/{fresh.pk}", "/api/v1/customers"
    calls: list[tuple[str, str, Any]] = [
        ("post", f"/api/v1/campaigns/{sent.pk}/send", {"customers": [person.pk]}),
        ("post", f"/api/v1/campaigns/{sent.pk}/send", {"customers": [person.pk]}),
        ("post", f"{me}/send", {"customers": [other.pk + 1]}),
        ("post", f"{me}/preview", {"customer": person.pk}),
        ("post", f"{me}/preview", {}),
        ("post", f"{me}/pause", None),
        ("patch", me, {"scheduled_at": "2077-01-01T00:00:00Z"}),
        ("post", f"{me}/unschedule", None),
        ("post", f"{me}/send", {"all": True}),
        ("post", f"{me}/retry", {"reasons": ["rejected"]}),
        ("post", f"{me}/settle", {"unknown": "guess"}),
        ("post", f"/api/v1/campaigns/{failed.pk}/settle", {"unknown": "leave"}),
        ("post", f"/api/v1/campaigns/{failed.pk}/retry", {"reasons": ["bad luck"]}),
        ("post", f"/api/v1/campaigns/{failed.pk}/retry", {}),
        ("get", f"{me}/audit", None),
        ("get", me, None),
        ("get", "/api/v1/campaigns", None),
        ("get", "/api/v1/campaigns?pageSize=0", None),
        ("delete", me, None),
        ("post", f"{me}/pause", None),
        ("post", f"{me}/resume", None),
        ("post", f"{me}/cancel", None),
        ("post", "/api/v1/campaigns", {"name": "x", "channel": "sms", "base_template": ""}),
        ("post", "/api/v1/campaigns", {"name": ""}),
        ("get", "/api/v1/messages?pageSize=1", None),
        ("get", f"/api/v1/campaigns/{sent.pk}/messages?pageNumber=1", None),
        ("get", f"/api/v1/messages/{OutboundMessage.objects.count()}0000", None),
        ("get", f"{people}?pageSize=1", None),
        ("post", people, {"phone": person.phone}),
        ("post", people, {"phone": "+254799999999"}),
        ("patch", f"{people}/{person.pk}", {"phone": other.phone}),
        ("patch", f"{people}/{person.pk}", {"phone": "x"}),
        ("get", f"{people}/{person.pk}", None),
        ("get", f"{people}/{2**60}", None),
    ]
    for method, url, body in calls:
        response = getattr(api, method)(url, body) if body is not None else getattr(api, method)(url)
        described = _described(document, method, url.partition("?")[0], response.status_code)
        Draft202012Validator(described).validate(response.json())


def _described(document: dict[str, Any], method: str, path: str, status: int) -> dict[str, Any]:
    shapes = {re.sub(r"{\w+}", "[0-9]+", shape): shape for shape in document["paths"]}
    [shape] = [shape for pattern, shape in shapes.items() if re.fullmatch(pattern, path)]
    answer = document["paths"][shape][method]["responses"][str(status)]
    schema: dict[str, Any] = answer["content"]["application/json"]["schema"]
    return {"components": document["components"]} | schema


def test_lists_have_their_parameters_and_filters(document: dict[str, Any]) -> None:
    def names(path: str) -> set[str]:
        return {each["name"] for each in document["paths"][path]["get"]["parameters"] if each["in"] == "query"}

    paging = {"pageNumber", "pageSize", "cursor", "highestId"}
    assert names("/api/v1/campaigns") == paging | {"status", "channel"}
    assert names("/api/v1/customers") == paging | {"phone", "location", "language"}
    assert names("/api/v1/messages") == paging | {"status", "reason", "customer", "campaign"}
    assert names("/api/v1/campaigns/{campaign}/messages") == paging | {"status", "reason", "customer"}
    assert {each["name"] for each in document["paths"]["/api/v1/campaigns/{id}"]["get"]["parameters"]} == {"id"}


def test_it_says_how_to_prove_who_one_is(document: dict[str, Any]) -> None:
    schemes = document["components"]["securitySchemes"]

    assert schemes["token"] == {"type": "http", "scheme": "bearer"}
    assert {"token": []} in document["paths"]["/api/v1/campaigns"]["get"]["security"]


def test_it_comes_as_yaml_too(api: APIClient, document: dict[str, Any]) -> None:
    for response in (api.get("/api/v1/schema?format=yaml"), api.get("/api/v1/schema")):
        assert response.status_code == 200
        assert yaml.safe_load(response.content)["paths"].keys() == document["paths"].keys()
    assert api.get("/api/v1/schema?format=json").json() == document


def test_another_format_is_refused(api: APIClient) -> None:
    response = api.get("/api/v1/schema?format=xml")

    assert response.status_code == 400
    assert response.json()["errors"][0]["attr"] == "format"


def test_the_page_is_shown_to_a_token_and_to_a_session_and_loads_nothing_from_outside(caller: Caller) -> None:
    with_session = APIClient()
    with_session.force_login(user_with([]))

    for client in (caller([]), with_session):
        page = client.get("/api/v1/docs")
        assert page.status_code == 200
        text = page.content.decode()
        loaded = re.findall(r'(?:src|href)="([^"]+)"', text)
        script = client.get(next(url for url in loaded if "script" in url and "static" not in url))
        assert script["Content-Type"].startswith("application/javascript")
        assert "/schema" in script.content.decode() or "schema" in script.content.decode()
        assert loaded
        assert all(url.startswith("/") for url in loaded)
        assert "//" not in text.replace("<!DOCTYPE", "").replace("://testserver", "")
        # Its own code is in files, as a content security policy without inline scripts asks.
        assert not re.search(r"<script>\s*\S", text)
