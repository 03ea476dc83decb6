"""What a customer's further fields may be called and hold."""

import json
import re
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

# The escape, and not a backslash that happens to stand before "u0000".
_NULL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
LONGEST_NAME = 150
MOST_NAMES = 100
LARGEST_JSON = 16_384


def validate_attributes(value: Any) -> None:
    """Raise `ValidationError` unless `value` is an object that the database can keep and templates can use.

    Names are snake_case; at most 100 of them, 16 kB as JSON; no NUL and no lone surrogate, which PostgreSQL's jsonb
    refuses.
    """
    if not isinstance(value, dict):
        raise ValidationError(_("Attributes must be an object of names and values."), code="invalid")
    if len(value) > MOST_NAMES:
        raise ValidationError(_("There may be at most %(limit)d attributes."), params={"limit": MOST_NAMES})
    for name in value:
        if len(name) > LONGEST_NAME or not NAME.fullmatch(name):
            raise ValidationError(
                _("“%(name)s” is not a snake_case name of at most %(limit)d characters."),
                params={"name": name[:LONGEST_NAME], "limit": LONGEST_NAME},
                code="invalid_name",
            )
    _validate_storable(value)


def _validate_storable(value: dict[str, Any]) -> None:
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        size = len(text.encode())
    except (ValueError, RecursionError) as mistake:
        raise ValidationError(
            _("Attributes hold something that cannot be stored: a lone surrogate, NaN or an infinite number."),
            code="invalid",
        ) from mistake
    if _NULL.search(text):
        raise ValidationError(_("Attributes may not hold the null character."), code="null_characters_not_allowed")
    if size > LARGEST_JSON:
        raise ValidationError(
            _("Attributes may take at most %(limit)d bytes as JSON."), params={"limit": LARGEST_JSON}, code="too_large"
        )
