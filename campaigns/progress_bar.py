"""How far a campaign is, as the admin shows it: counts, bar, rate and time left, all from one row."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from campaigns import pace
from campaigns.models import MESSAGE_STATUSES, Campaign, Status

LABELS = {
    "pending": _("pending"),
    "sending": _("sending"),
    "sent": _("sent"),
    "delivered": _("delivered"),
    "read": _("read"),
    "failed": _("failed"),
    "unknown": _("unknown"),
    "skipped": _("skipped"),
    "cancelled": _("cancelled"),
}
# In the order of the bar: what went well first, what is still to come last, as the empty rest.
ORDER = ("read", "delivered", "sent", "unknown", "failed", "skipped", "cancelled", "sending", "pending")
MOVING = frozenset({Status.SCHEDULED, Status.SENDING, Status.PAUSED})
POLL_SECONDS = 2


@dataclass(frozen=True, slots=True)
class Share:
    """How many messages of a status there are, and how much of the bar they take."""

    status: str
    label: str
    count: int
    percent: float


@dataclass(frozen=True, slots=True)
class Bar:
    """A campaign's messages by status; `whole` is how many there are or will be."""

    shares: tuple[Share, ...]
    whole: int
    done: int

    @property
    def percent(self) -> int:
        """How much is done, in whole per cent, and 100 only when all is."""
        return self.done * 100 // self.whole if self.whole else 0


@dataclass(frozen=True, slots=True)
class Panel:
    """What the campaign's page shows and asks for again every two seconds while `polls`."""

    campaign: Campaign
    bar: Bar
    look: pace.Look
    left: timedelta | None

    @property
    def polls(self) -> bool:
        """Whether anything may still change by itself."""
        is_cancelling = self.campaign.status == Status.CANCELLED and self.bar.done < self.bar.whole
        return self.campaign.status in MOVING or is_cancelling

    @property
    def poll_url(self) -> str:
        """Where to ask next; it carries what this look saw, and the status that the page's buttons were made for."""
        query = pace.as_query(self.look) | {"status": self.campaign.status}
        return f"{reverse('admin:campaigns_campaign_progress', args=[self.campaign.pk])}?{urlencode(query)}"

    @property
    def poll_seconds(self) -> int:
        """How long to wait before asking again."""
        return POLL_SECONDS


def bar(campaign: Campaign) -> Bar:
    """The bar of a campaign whose progress was read with it."""
    progress = campaign.progress
    whole = max(progress.total, campaign.expected if campaign.audience else 0)
    counts = {status: getattr(progress, status) for status in MESSAGE_STATUSES}
    shares = tuple(
        Share(status, str(LABELS[status]), counts[status], round(counts[status] * 100 / whole, 3) if whole else 0.0)
        for status in ORDER
    )
    return Bar(shares, whole, progress.done)


def panel(campaign: Campaign, query: Mapping[str, str] | None = None) -> Panel:
    """What the page shows now; `query` is what the last look told the page to send back."""
    shown = bar(campaign)
    now = time.time()
    before = pace.from_query(dict(query)) if query else _since_start(campaign)
    look = before.next(shown.done, now) if before else pace.Look(shown.done, now)
    is_moving = campaign.status == Status.SENDING
    return Panel(campaign, shown, look, look.left(shown.whole - shown.done) if is_moving else None)


def status_badge(campaign: Campaign) -> SafeString:
    """The status in its colour."""
    return format_html(
        '<span class="clarion-badge clarion-badge-{}">{}</span>', campaign.status, campaign.get_status_display()
    )


def _since_start(campaign: Campaign) -> pace.Look | None:
    """The first look of a page: on average since it began, whatever was skipped at the launch included."""
    if campaign.started_at is None or campaign.ended_at is not None:
        return None
    return pace.Look(campaign.progress.skipped, campaign.started_at.timestamp())
