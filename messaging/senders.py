"""The accounts of providers as operators see them: how fast each may go, and what it is doing now."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from django.conf import settings
from django.db import connection, transaction
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from messaging import providers
from messaging.models import Sender, SenderState
from messaging.providers.base import Hears


@dataclass(frozen=True, slots=True)
class Standing:
    """Where an account stands; `rate` is in parts a second and none without a limit, `hold` is empty unless it is held.

    `wait_seconds` is the limiter's level: how long it lets nothing more out.
    """

    alias: str
    rate: float | None
    wait_seconds: float = 0.0
    hold: str = ""
    held_until: datetime | None = None
    held_seconds: float = 0.0
    failures: int = 0

    @property
    def sentence(self) -> str:
        """What it is doing now, for people."""
        if self.hold and self.held_until:
            until = {"until": date_format(timezone.localtime(self.held_until), "H:i:s e")}
            if self.hold == "breaker":
                return _("breaker open until %(until)s") % until
            return _("slowed down by the provider until %(until)s") % until
        if self.wait_seconds:
            return _("waiting for its limit, %(seconds).1f s") % {"seconds": self.wait_seconds}
        return _("running")


def ensure() -> None:
    """Make the row of each alias of MESSAGE_PROVIDERS that has none; the others stay as people set them.

    May be repeated, and run by several at once.
    """
    Sender.objects.bulk_create([Sender(alias=alias) for alias in settings.MESSAGE_PROVIDERS], ignore_conflicts=True)


def set_rate(alias: str, rate: float | None) -> None:
    """Set how many parts a second the account may send; None for what MESSAGE_PROVIDERS says.

    What a long message still owes at the old rate, minutes at a very low one, no longer holds the account up.
    """
    with transaction.atomic():
        Sender.objects.filter(alias=alias).update(rate=rate, updated_at=Now())
        soon = Now() + timedelta(seconds=1)
        SenderState.objects.filter(alias=alias, free_at__gt=soon).update(free_at=soon)


def hook_token(alias: str) -> str:
    """The secret in the address of this account's door; empty when the account has no row."""
    token = Sender.objects.filter(alias=alias).values_list("hook_token", flat=True).first()
    return token.hex if token else ""


def hook_url(alias: str) -> str:
    """The address of this account's door as vendors see it; empty when nobody can reach us, or it hears nothing."""
    if not settings.PUBLIC_URL or not isinstance(providers.get(alias), Hears):
        return ""
    token = hook_token(alias)
    return f"{settings.PUBLIC_URL}/hooks/{quote(alias, safe='')}/{token}" if token else ""


def standings() -> Sequence[Standing]:
    """Every account that is configured or has a row, by alias; two small queries."""
    rates = dict(Sender.objects.values_list("alias", "rate"))
    with connection.cursor() as cursor:
        cursor.execute(_STATES)
        states = {alias: facts for alias, *facts in cursor.fetchall()}
    return [
        Standing(alias, _rate(alias, rates.get(alias)), *states.get(alias, ()))
        for alias in sorted({*settings.MESSAGE_PROVIDERS, *rates, *states})
    ]


_STATES = """
SELECT alias, greatest(0, extract(epoch FROM free_at - statement_timestamp()))::float8,
    CASE WHEN held THEN hold ELSE '' END, CASE WHEN held THEN held_until END,
    CASE WHEN held THEN extract(epoch FROM held_until - statement_timestamp())::float8 ELSE 0 END, failures
FROM (SELECT *, coalesce(held_until > statement_timestamp(), false) AS held FROM sender_states) AS state
"""


def configured_rate(alias: str) -> float | None:
    """Parts a second as MESSAGE_PROVIDERS says, or none."""
    entry: dict[str, Any] = settings.MESSAGE_PROVIDERS.get(alias, {})
    return entry.get("RATE")


def _rate(alias: str, given: float | None) -> float | None:
    return configured_rate(alias) if given is None else given
