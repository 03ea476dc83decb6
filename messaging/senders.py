"""The accounts of providers as operators see them: set up, changed and removed, and what each is doing now."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from campaigns.models import Campaign
from campaigns.models import Status as CampaignStatus
from messaging import accounts, providers
from messaging.models import MessageBatch, Sender, SenderState
from messaging.secrets import Sealed, Unreadable

# Campaigns of which something may still go out.
RUNNING = (CampaignStatus.SCHEDULED, CampaignStatus.SENDING, CampaignStatus.PAUSED)
MOST_NAMED = 5


class InUse(Exception):
    """Campaigns that have not ended go out by this sender; `str()` names them. Nothing was changed."""

    def __init__(self, alias: str, names: Sequence[str]) -> None:
        sentence = _("Sender “%(alias)s” is in use by %(names)s. Let it end, or cancel it first.")
        super().__init__(sentence % {"alias": alias, "names": ", ".join(f"“{name}”" for name in names)})


@dataclass(frozen=True, slots=True)
class Standing:
    """Where an account stands; `rate` is in parts a second and none without a limit, `hold` is empty unless it is held.

    `wait_seconds` is the limiter's level: how long it lets nothing more out.
    """

    alias: str
    rate: float | None
    is_enabled: bool = True
    wait_seconds: float = 0.0
    hold: str = ""
    held_until: datetime | None = None
    held_seconds: float = 0.0
    failures: int = 0

    @property
    def sentence(self) -> str:
        """What it is doing now, for people."""
        if not self.is_enabled:
            return _("not enabled")
        if self.hold and self.held_until:
            until = {"until": date_format(timezone.localtime(self.held_until), "H:i:s e")}
            if self.hold == "breaker":
                return _("breaker open until %(until)s") % until
            return _("slowed down by the provider until %(until)s") % until
        if self.wait_seconds:
            return _("waiting for its limit, %(seconds).1f s") % {"seconds": self.wait_seconds}
        return _("running")


def ensure(model: Any = Sender) -> None:
    """Make the row of each alias of MESSAGE_PROVIDERS that has none; the others stay as people set them.

    May be repeated, and run by several at once. `model` has the columns that the database has, while it is migrated.
    """
    model.objects.bulk_create([model(alias=alias) for alias in settings.MESSAGE_PROVIDERS], ignore_conflicts=True)


def set_terms(alias: str, *, rate: float | None, kind: str) -> None:
    """Set what people may of an account of the settings."""
    with transaction.atomic():
        Sender.objects.filter(alias=alias).update(kind=kind)
        set_rate(alias, rate)


def set_rate(alias: str, rate: float | None) -> None:
    """Set how many parts a second the account may send; None for what MESSAGE_PROVIDERS says.

    What a long message still owes at the old rate, minutes at a very low one, no longer holds the account up.
    """
    with transaction.atomic():
        Sender.objects.filter(alias=alias).update(rate=rate, updated_at=Now())
        soon = Now() + timedelta(seconds=1)
        SenderState.objects.filter(alias=alias, free_at__gt=soon).update(free_at=soon)


def hook_url(alias: str) -> str:
    """The address of this account's door as vendors see it; empty when nobody can reach us, or it hears nothing."""
    if not settings.PUBLIC_URL or providers.ear(alias) is None:
        return ""
    token = accounts.hook_token(alias)
    return f"{settings.PUBLIC_URL}/hooks/{quote(alias, safe='')}/{token}" if token else ""


def save(sender: Sender) -> None:
    """Write a sender that people made or changed; workers follow it within two seconds.

    Raises `InUse` when it no longer serves what a campaign that has not ended needs of it. One that is launched at the
    same moment is paused by its first slice, and nothing of it is lost.
    """
    before = Sender.objects.filter(pk=sender.pk).first()
    if before:
        lost = before.channels - (sender.channels if sender.is_enabled else frozenset())
        _refuse_in_use(before, lost)
    with transaction.atomic():
        sender.updated_at = timezone.now()
        sender.save()
        if before and before.rate != sender.rate:
            set_rate(sender.alias, sender.rate)
    accounts.forget()


def remove(sender: Sender) -> None:
    """Delete it with its prices; raises `InUse`. What was sent by it keeps its alias."""
    _refuse_in_use(sender, sender.channels)
    sender.delete()
    accounts.forget()


def _refuse_in_use(sender: Sender, channels: Collection[str]) -> None:
    """Raise `InUse` when campaigns of these channels that have not ended go out by it."""
    if not channels or sender.alias in settings.MESSAGE_PROVIDERS:
        return
    batches = MessageBatch.objects.filter(campaign=OuterRef("pk"), provider=sender.alias)
    by_default = Q(sender="", channel__in=[each for each in channels if accounts.default(each) == sender.alias])
    used = Campaign.objects.filter(
        Q(sender=sender.alias) | by_default | Exists(batches), status__in=RUNNING, channel__in=channels
    )
    if names := list(used.order_by("pk").values_list("name", flat=True)[:MOST_NAMED]):
        raise InUse(sender.alias, names)


def rotate() -> tuple[int, list[str]]:
    """Write all credentials anew with the first of SECRETS_KEYS: how many, and whose no key reads. May be repeated."""
    count, unreadable = 0, []
    for pk in Sender.objects.exclude(sealed=Sealed()).values_list("pk", flat=True):
        with transaction.atomic():
            sender = Sender.objects.select_for_update().filter(pk=pk).first()
            if sender is None:
                continue
            try:
                renewed = sender.sealed.renewed(sender.alias)
            except Unreadable:
                unreadable.append(sender.alias)
                continue
            Sender.objects.filter(pk=pk).update(sealed=renewed, updated_at=Now())
            count += 1
    return count, unreadable


def standings() -> Sequence[Standing]:
    """Every account that is configured or has a row, by alias; two small queries."""
    rates = dict(Sender.objects.values_list("alias", "rate"))
    resting = accounts.resting()
    with connection.cursor() as cursor:
        cursor.execute(_STATES)
        states = {alias: facts for alias, *facts in cursor.fetchall()}
    return [
        Standing(alias, _rate(alias, rates.get(alias)), alias not in resting, *states.get(alias, ()))
        for alias in sorted({*accounts.known(), *rates, *states})
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
