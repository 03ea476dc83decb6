"""Reads answers of the API."""

from typing import Any

from rest_framework.test import APIClient


def error(response: Any, status: int) -> dict[str, Any]:
    """The one error of an answer with this status; fails when the shape is another."""
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/json"
    body = response.json()
    assert set(body) == {"type", "errors"}
    assert body["type"] in {"validation_error", "client_error"}
    [only] = body["errors"]
    assert {"code", "detail", "attr"} <= set(only)
    assert only["detail"]
    return dict(only)


def refusal(response: Any) -> tuple[str, str | None]:
    """Code and field of the one error of a 400."""
    found = error(response, 400)
    return found["code"], found["attr"]


def post_bytes(api: APIClient, url: str, body: bytes, kind: str = "application/json", **extra: Any) -> Any:
    """The answer to exactly these bytes."""
    return api.generic("POST", url, body, kind, **extra)  # type: ignore[arg-type]
