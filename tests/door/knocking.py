"""Knocks at the simulator's door as a vendor does."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.test import Client

from messaging import accounts
from messaging.providers.simulated_receipts import SIGNATURE, sign

ALIAS = "simulator"
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def secret() -> str:
    """What the simulator signs with."""
    return str(settings.MESSAGE_PROVIDERS[ALIAS]["OPTIONS"]["secret"])


def address(alias: str = ALIAS, *, token: str | None = None) -> str:
    """The path of this account's door."""
    return f"/hooks/{alias}/{accounts.hook_token(alias) if token is None else token}"


def said(reference: object, status: str, minutes: float = 0, **fields: Any) -> dict[str, Any]:
    """One receipt as the simulator writes it."""
    return {
        "reference": str(reference),
        "status": status,
        "at": (NOON + timedelta(minutes=minutes)).isoformat(),
    } | fields


def knock(
    *receipts: Any,
    body: bytes | None = None,
    query: str = "",
    path: str | None = None,
    headers: dict[str, str] | None = None,
) -> Any:
    """Post these receipts, or this body, signed; the answer."""
    body = json.dumps({"receipts": receipts}).encode() if body is None else body
    return Client().post(
        (address() if path is None else path) + query,
        data=body,
        content_type="application/json",
        headers={SIGNATURE: sign(secret(), body)} | (headers or {}),
    )
