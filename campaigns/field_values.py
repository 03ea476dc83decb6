"""How a field's value is written into a message."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any


def as_text(value: Any) -> str:
    """A field's value as it is written into a message; `""` for null, blanks only, and an empty list or object.

    Times become RFC 3339 in UTC, ending in `Z`; numbers lose no digit and have no exponent; booleans, lists and objects
    are compact JSON.
    """
    return _WRITERS.get(type(value), _write_text)(value)


def _write_text(value: Any) -> str:
    text = str(value)
    return "" if text.isspace() else text


def _write_time(value: datetime) -> str:
    moment = value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    return moment.isoformat().replace("+00:00", "Z")


def _write_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str) if value else ""


_WRITERS: dict[type, Callable[[Any], str]] = {
    type(None): lambda _: "",
    bool: json.dumps,
    float: lambda value: format(Decimal(repr(value)), "f"),
    Decimal: lambda value: format(value, "f"),
    datetime: _write_time,
    list: _write_json,
    dict: _write_json,
}
