"""What a changed default means for campaigns that name no sender: which of them would go out by another account.

A batch keeps the account by which it was written, so what is written goes out by the old one; what is still to be
written goes by the default of that moment.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from campaigns.models import Campaign, Status
from customers.models import Channel
from messaging import accounts
from messaging.models import Sender


@dataclass(frozen=True, slots=True)
class Move:
    """That so many campaigns of a channel would go out by `target`, or by nobody, and no longer by `source`."""

    channel: str
    campaigns: int
    source: str
    target: str | None

    @property
    def sentence(self) -> str:
        """It, for people."""
        names: dict[str, Any] = {
            "count": f"{self.campaigns:,}",
            "channel": Channel(self.channel).label,
            "source": self.source,
            "target": self.target,
        }
        if self.target is None or not accounts.serves(self.target, self.channel):
            told = ngettext(
                "No other account serves %(channel)s: %(count)s campaign that names no sender would pause when its"
                " messages are to be written.",
                "No other account serves %(channel)s: %(count)s campaigns that name no sender would pause when their"
                " messages are to be written.",
                self.campaigns,
            )
        else:
            told = ngettext(
                "%(count)s %(channel)s campaign that names no sender would go out by “%(target)s” and no longer by"
                " “%(source)s”, but for what is already written of it.",
                "%(count)s %(channel)s campaigns that name no sender would go out by “%(target)s” and no longer by"
                " “%(source)s”, but for what is already written of them.",
                self.campaigns,
            )
        return told % names


def unwritten(channel: str) -> "QuerySet[Campaign]":
    """The campaigns that have not ended, name no sender, and of which messages are still to be written."""
    to_be_drawn = Q(started_at=None) & ~Q(audience__kind="list")
    return Campaign.objects.filter(
        Q(audience__isnull=True) | Q(launching=True) | to_be_drawn,
        sender="", channel=channel, status__in=[Status.SCHEDULED, Status.SENDING, Status.PAUSED],
    )  # fmt: skip


def moves(sender: Sender) -> Sequence[Move]:
    """What saving this sender would move, by the channels whose default changes; writes nothing."""
    before = Sender.objects.filter(pk=sender.pk).first()
    if before is None or sender.alias in settings.MESSAGE_PROVIDERS:
        return []
    found = []
    for channel in sorted(before.default_channels ^ sender.default_channels):
        source, target = settings.MESSAGE_ROUTES.get(channel), sender.alias
        if channel in before.default_channels:
            source, target = target, source
        # Where there was no account they waited for one, and are not moved.
        if source and (count := unwritten(channel).count()):
            found.append(Move(channel, count, source, target))
    return found


def waiting() -> str:
    """How many campaigns hang on a channel's default, as a sentence; empty when none does."""
    counts = [(channel, unwritten(channel.value).count()) for channel in Channel]
    told = ", ".join(f"{channel.label} {count:,}" for channel, count in counts if count)
    sentence = _(
        "Campaigns that name no sender and are still to be written: %(counts)s. They go out by the channel's default."
        " Tick this if they are to go out by another account when you change it."
    )
    return sentence % {"counts": told} if told else ""
