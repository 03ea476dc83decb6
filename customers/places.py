"""Checks of language tags and time zones."""

import re
import zoneinfo
from functools import cache

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

# RFC 5646, section 2.1: language[-script][-region][-variant…]; extensions and private use are not for customers.
_LANGUAGE = re.compile(
    r"[a-z]{2,3}(-[a-z]{4})?(-([a-z]{2}|[0-9]{3}))?(-([a-z0-9]{5,8}|[0-9][a-z0-9]{3}))*", re.IGNORECASE
)


@cache
def _zones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones())


def validate_language(value: str) -> None:
    """Raise `ValidationError` unless `value` is a well-formed BCP 47 tag."""
    if not _LANGUAGE.fullmatch(value):
        raise ValidationError(_("This is not a language tag such as “sw” or “en-KE”."), code="invalid")


def validate_time_zone(value: str) -> None:
    """Raise `ValidationError` unless `value` is a zone of the IANA database."""
    if value not in _zones():
        raise ValidationError(_("This is not a time zone such as “Africa/Nairobi”."), code="invalid")
