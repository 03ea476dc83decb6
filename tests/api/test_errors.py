"""One shape for every error, and never an error of the server for what was sent."""

import json
from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from config import tokens
from customers.models import Customer
from tests.api.answers import error, post_bytes, refusal
from tests.api.conftest import user_with
from tests.factories import CampaignFactory, CustomerFactory

pytestmark = pytest.mark.django_db

JSON = "application/json"
PHONE = "+254712345678"


@pytest.mark.parametrize(
    "path",
    [
        "/api", "/api/", "/api/v1", "/api/v1/", "/api/v2/campaigns", "/api/v1/nothing", "/api/v1/campaigns/",
        "/api/v1/campaigns/1/", "/api/v1/campaigns/1/send/", "/api/v1/campaigns/1/nothing", "/api/v1/customers/",
        "/api/v1/campaigns.json", "/api/v1//campaigns", "/api/v1/schema/", "/api/v1/%00", "/api/v1/%ff", "/api/v1/é",
    ],
)  # fmt: skip
@pytest.mark.parametrize("method", ["get", "post", "delete", "put", "options"])
def test_unknown_paths_and_trailing_slashes_are_404_in_json(anyone: APIClient, path: str, method: str) -> None:
    assert error(getattr(anyone, method)(path), 404)["code"] == "not_found"


def test_an_unknown_path_outside_the_api_is_djangos_page(client: Client) -> None:
    response = client.get("/apiary")

    assert response.status_code == 404
    assert response["Content-Type"].startswith("text/html")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("put", "campaigns"), ("delete", "campaigns"), ("patch", "campaigns"), ("post", "campaigns/{campaign}"),
        ("get", "campaigns/{campaign}/send"), ("get", "campaigns/{campaign}/pause"),
        ("put", "campaigns/{campaign}/send"), ("post", "campaigns/{campaign}/audit"),
        ("post", "schema"), ("post", "docs"), ("trace", "campaigns"),
    ],
)  # fmt: skip
def test_a_method_that_is_not_offered_is_405_and_the_answer_names_those_that_are(
    api: APIClient, method: str, path: str
) -> None:
    url = "/api/v1/" + path.format(campaign=CampaignFactory.create().pk)

    response = api.generic(method.upper(), url)

    assert error(response, 405)["code"] == "method_not_allowed"
    assert method.upper() not in response["Allow"].split(", ")


@pytest.mark.parametrize(
    "path", ["campaigns", "customers", "messages", "campaigns/{campaign}", "campaigns/{campaign}/send"]
)
def test_options_says_what_is_offered(api: APIClient, path: str) -> None:
    response = api.options("/api/v1/" + path.format(campaign=CampaignFactory.create().pk))

    assert response.status_code == 200
    assert "OPTIONS" in response["Allow"]


@pytest.mark.parametrize(
    "kind",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/xml",
        "x" * 300,
        "*",
    ],
)
def test_a_body_that_is_not_json_is_415(api: APIClient, kind: str) -> None:
    response = post_bytes(api, "/api/v1/customers", b"phone=0712345678", kind)

    assert error(response, 415)["code"] == "unsupported_media_type"


def test_a_body_in_the_form_of_json_is_read_whatever_parameters_its_type_has(api: APIClient) -> None:
    for kind in ("application/json; charset=utf-8", "application/json;charset=bogus", "APPLICATION/JSON"):
        body = json.dumps({"name": "Zoë", "channel": "sms", "base_template": ""})
        assert api.generic("POST", "/api/v1/campaigns", body, content_type=kind).status_code == 201


def test_an_answer_in_another_form_than_json_is_406(api: APIClient) -> None:
    assert error(api.get("/api/v1/campaigns", HTTP_ACCEPT="text/html"), 406)["code"] == "not_acceptable"


@pytest.mark.parametrize(
    "path", ["customers", "campaigns", "campaigns/{campaign}/send", "campaigns/{campaign}/preview"]
)
def test_a_body_of_more_than_five_megabytes_is_413_and_the_limit_is_named(api: APIClient, path: str) -> None:
    url = "/api/v1/" + path.format(campaign=CampaignFactory.create().pk)

    found = error(post_bytes(api, url, b'{"name": "' + b"x" * 5 * 1024 * 1024 + b'"}'), 413)

    assert found["code"] == "too_large"
    assert str(5 * 1024 * 1024) in found["detail"]


def test_a_body_is_refused_by_its_announced_length_before_it_is_read(api: APIClient) -> None:
    response = post_bytes(api, "/api/v1/customers", b"{}", JSON, CONTENT_LENGTH=str(10**10))

    assert error(response, 413)["code"] == "too_large"


def test_a_body_in_chunks_is_refused_and_not_taken_for_none(api: APIClient) -> None:
    campaign = CampaignFactory.create()

    response = api.generic(
        "PATCH", f"/api/v1/campaigns/{campaign.pk}", "", HTTP_TRANSFER_ENCODING="chunked", CONTENT_LENGTH=""
    )

    assert refusal(response) == ("length_required", "non_field_errors")


def test_a_large_body_within_the_limit_is_read(api: APIClient) -> None:
    response = post_bytes(api, "/api/v1/customers", b" " * (5 * 1024 * 1024 - 2) + b"{}")

    assert refusal(response) == ("required", "phone")


BROKEN = [
    b"{", b"nul", b"{'phone': 1}", b'{"phone": NaN}', b'{"phone": Infinity}', b'{"phone": -Infinity}',
    b"\xff\xfe{\x00", b"\xef\xbb\xbf{}", b"\xef\xbb\xbf\xef\xbb\xbf{}",
    b'{"phone": "\xff"}', b'{"phone": "\xed\xa0\x80"}', b'{"phone": "\x00"}', b'{"a": 1,}',
    b'{"phone": 1, "phone": 2}', b'{"a": ' + b"9" * 5_000 + b"}", b"[" * 100_000, b'{"a":' * 100_000, b"{} {}",
    b"[" * 40 + b"]" * 40, b'{"attributes":' + b'{"a":' * 40 + b"1" + b"}" * 41, b'{"\\ud800": 1}', b'{"a\\u0000": 1}',
]  # fmt: skip


@pytest.mark.parametrize("body", BROKEN)
@pytest.mark.parametrize("path", ["customers", "campaigns", "campaigns/{campaign}/send", "campaigns/{campaign}/pause"])
def test_a_body_that_is_no_good_json_is_400(api: APIClient, body: bytes, path: str) -> None:
    response = post_bytes(api, "/api/v1/" + path.format(campaign=CampaignFactory.create().pk), body)

    error(response, 400)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (rb'{"phone": "+254712345678", "first_name": "a\u0000b"}', "null_characters_not_allowed"),
        (rb'{"phone": "+254712345678", "first_name": "a\ud800b"}', "surrogate_characters_not_allowed"),
        (rb'{"phone": "+254712345678", "first_name": "a\uDFFFb"}', "surrogate_characters_not_allowed"),
        (rb'{"phone": "+254712345678", "first_name": "\ude00\ud83d"}', "surrogate_characters_not_allowed"),
    ],
)
def test_a_text_that_cannot_be_kept_is_refused_with_its_field(api: APIClient, body: bytes, code: str) -> None:
    assert refusal(post_bytes(api, "/api/v1/customers", body)) == (code, "first_name")


@pytest.mark.parametrize(
    "attributes",
    [
        rb'{"a": "\ud800"}',
        rb'{"a": ["\u0000"]}',
        rb'{"a": {"b": "\udc00"}}',
        rb'{"\ud800": 1}',
        rb'{"a": {"\u0000": 1}}',
    ],
)
def test_an_attribute_that_cannot_be_kept_is_refused_however_deep(api: APIClient, attributes: bytes) -> None:
    body = b'{"phone": "+254712345678", "attributes": ' + attributes + b"}"

    assert refusal(post_bytes(api, "/api/v1/customers", body))[1] == "attributes"


@pytest.mark.parametrize(("levels", "status"), [(30, 201), (31, 400), (200, 400), (900, 400)])
def test_what_is_nested_deeper_than_the_limit_is_refused_and_the_rest_can_be_read_again(
    api: APIClient, levels: int, status: int
) -> None:
    nested = b'{"a":' * levels + b"1" + b"}" * levels

    response = post_bytes(api, "/api/v1/customers", b'{"phone": "+254712345678", "attributes": {"b": ' + nested + b"}}")

    assert response.status_code == status
    if status == 400:
        assert "32" in error(response, 400)["detail"]
    else:
        assert api.get("/api/v1/customers").json()["results"][0]["attributes"] == {"b": json.loads(nested)}


def test_escaped_pairs_and_backslashes_are_ordinary_text(api: APIClient) -> None:
    body = rb'{"phone": "+254712345678", "first_name": "\ud83d\ude00 \\u0041 \\ud800"}'

    response = post_bytes(api, "/api/v1/customers", body)

    assert response.json()["first_name"] == "😀 \\u0041 \\ud800"


def test_a_number_too_large_for_the_database_is_kept_where_numbers_are_free(api: APIClient) -> None:
    attributes = {"points": 10**300, "ratio": 1e-300, "rate": 0.1}

    made = api.post("/api/v1/customers", {"phone": PHONE, "attributes": attributes}).json()

    assert api.get(f"/api/v1/customers/{made['id']}").json()["attributes"] == attributes


@pytest.mark.parametrize(
    "body", [b'{"phone": "+254712345678", "attributes": {"a": 1e999}}', b'{"phone": 1e999}', b'{"phone": -1e999}']
)
def test_an_infinite_number_is_refused(api: APIClient, body: bytes) -> None:
    error(post_bytes(api, "/api/v1/customers", body), 400)


NASTY: list[Any] = [
    None, True, False, 0, -1, 1.5, 10**30, -(10**30), 1e308, "", " ", "x", "x" * 10_000, "\u202e", "{", "%s", "'; --",
    "\\", "0", "null", [], {}, [[]], [{}], {"a": 1}, {"": None}, [None], [1, "1"], "2077-01-01T00:00:00Z",
    "9999-12-31T23:59:59-14:00",
]  # fmt: skip
FIELDS = {
    "customers": ["phone", "first_name", "attributes", "language", "time_zone", "", "id", "nonsense"],
    "campaigns": ["name", "channel", "base_template", "scheduled_at", "status", "\u202e"],
    "campaigns/{campaign}/send": ["customers", "segment", "all", "nonsense"],
    "campaigns/{campaign}/preview": ["customer", "template", "nonsense"],
    "campaigns/{campaign}/cancel": ["nonsense"],
}
GOOD: dict[str, dict[str, Any]] = {
    "customers": {"phone": PHONE},
    "campaigns": {"name": "x", "channel": "sms", "base_template": ""},
}


@pytest.mark.parametrize(("path", "field"), [(path, field) for path, fields in FIELDS.items() for field in fields])
def test_no_value_of_any_field_is_an_error_of_the_server(api: APIClient, path: str, field: str) -> None:
    url = "/api/v1/" + path.format(campaign=CampaignFactory.create().pk)

    for value in NASTY:
        response = api.post(url, GOOD.get(path, {}) | {field: value})
        assert response.status_code in {200, 201, 202, 400, 409}, (value, response.content)
        if response.status_code >= 400:
            assert {"code", "detail", "attr"} <= set(response.json()["errors"][0])
        Customer.objects.all().delete()


@pytest.mark.parametrize("body", NASTY)
@pytest.mark.parametrize("path", FIELDS)
def test_no_body_at_all_is_an_error_of_the_server(api: APIClient, path: str, body: Any) -> None:
    url = "/api/v1/" + path.format(campaign=CampaignFactory.create().pk)

    response = post_bytes(api, url, json.dumps(body).encode())

    assert response.status_code in {200, 400}, response.content


@pytest.mark.parametrize(("path", "fields"), [("customers", FIELDS["customers"]), ("campaigns", FIELDS["campaigns"])])
def test_no_change_is_an_error_of_the_server(api: APIClient, path: str, fields: list[str]) -> None:
    made = CustomerFactory.create() if path == "customers" else CampaignFactory.create()

    for field in fields:
        for value in NASTY:
            response = api.patch(f"/api/v1/{path}/{made.pk}", {field: value})
            assert response.status_code in {200, 400}, (field, value, response.content)


@pytest.mark.parametrize("path", ["campaigns", "customers", "messages", "campaigns/{campaign}/messages"])
@pytest.mark.parametrize(
    "name", ["status", "phone", "location", "language", "customer", "pageNumber", "pageSize", "cursor", "highestId"]
)
def test_no_query_is_an_error_of_the_server(api: APIClient, path: str, name: str) -> None:
    url = "/api/v1/" + path.format(campaign=CampaignFactory.create().pk)

    for value in (
        "%00",
        "%ff%fe",
        "%ed%a0%80",
        "9" * 400,
        "-1",
        "%F0%9F%98%80",
        "[]",
        "{}",
        "null",
        "1;2",
        "%25",
        "x" * 3_000,
    ):
        assert api.get(f"{url}?{name}={value}").status_code in {200, 400}


def test_a_query_of_two_thousand_parameters_is_refused(api: APIClient) -> None:
    assert error(api.get("/api/v1/campaigns?" + "&".join(f"p{n}=1" for n in range(2_000))), 400)


def test_a_refusal_repeats_only_so_much_of_what_was_sent(api: APIClient) -> None:
    response = api.post("/api/v1/customers", {"x" * 5_000 + str(n): 1 for n in range(500)})

    assert response.status_code == 400
    assert len(response.content) < 10_000


def test_an_unknown_host_is_400_in_json(api: APIClient) -> None:
    response = api.get("/api/v1/campaigns", HTTP_HOST="evil.example")

    assert response.status_code == 400
    assert response.json()["errors"][0]["code"] == "bad_request"


def test_an_error_of_ours_is_500_in_json_and_tells_nothing(settings: Any) -> None:
    client = APIClient(raise_request_exception=False)
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {tokens.create(user_with(['customers.add_customer']), 'x')[1]}")
    settings.DEFAULT_PHONE_REGION = object()

    response = client.post("/api/v1/customers", {"phone": "0712345678"})

    assert response.status_code == 500
    assert response.json() == {
        "type": "server_error",
        "errors": [{"code": "error", "detail": "Server Error (500)", "attr": None}],
    }
