"""The admin's first page: how many customers, where the campaigns stand, what goes on and what went wrong."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Q, Sum
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from campaigns.models import MESSAGE_STATUSES, Campaign, CampaignProgress
from campaigns.models import Status as CampaignStatus
from campaigns.progress_bar import Panel, panel
from customers.models import Customer
from customers.tables import total_of
from messaging.models import OutboundMessage, Status
from messaging.reasons import Reason

MOST_RUNNING = 10
# The failures of this many campaigns, and no more rows than that: the page stays quick beside a million failures.
LATEST_CAMPAIGNS = 10
MOST_FAILURES_READ = 10_000
RUNNING = frozenset({CampaignStatus.SENDING, CampaignStatus.PAUSED})


@dataclass(frozen=True, slots=True)
class Failure:
    """A reason, its words, how many recent messages have it, and where they are listed."""

    sentence: str
    count: int
    url: str


def callback(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Unfold asks for this before it shows the index: only what the user may see is read."""
    may_see = request.user.has_perm
    if may_see("customers.view_customer"):
        count, is_exact = total_of(Customer)
        context |= {"customers": count, "customers_exact": is_exact, "is_empty": count == 0}
    if may_see("campaigns.view_campaign"):
        context |= {
            "statuses": by_status(),
            "today": sums(_midnight()),
            "ever": sums(None),
            "running": running(),
            "scheduled": list(Campaign.objects.filter(status=CampaignStatus.SCHEDULED).order_by("scheduled_at")[:5]),
            "has_campaigns": Campaign.objects.exists(),
        }
    if may_see("messaging.view_outboundmessage"):
        context["failures"] = failures()
    return context | {"zone": timezone.get_current_timezone_name()}


def by_status() -> Sequence[tuple[str, str, int]]:
    """Each status, its word, and how many campaigns are there."""
    rows = Campaign.objects.order_by().values("status").annotate(n=Count("pk")).values_list("status", "n")
    counts = dict(rows)
    return [(status.value, str(status.label), counts.get(status.value, 0)) for status in CampaignStatus]


def sums(since: datetime | None) -> dict[str, int]:
    """The messages by status of the campaigns that began since then, or of all; one row a campaign is read."""
    rows = (
        CampaignProgress.objects.all()
        if since is None
        else CampaignProgress.objects.filter(campaign__started_at__gte=since)
    )
    found = rows.aggregate(**{f"sum_{name}": Sum(name) for name in ("total", *MESSAGE_STATUSES)})
    counts = {name: found[f"sum_{name}"] or 0 for name in ("total", *MESSAGE_STATUSES)}
    return counts | {"went_out": counts["sent"] + counts["delivered"] + counts["read"]}


def running() -> list[Panel]:
    """What is being sent, and what is held back, the newest first."""
    moving = Campaign.objects.filter(status__in=RUNNING).select_related("progress").order_by("-started_at")
    return [panel(campaign) for campaign in moving[:MOST_RUNNING]]


def failures() -> list[Failure]:
    """Why recent messages failed or are unknown, the most frequent first."""
    bad = Q(failed__gt=0) | Q(unknown__gt=0)
    latest = list(CampaignProgress.objects.filter(bad).order_by("-pk").values_list("pk", flat=True)[:LATEST_CAMPAIGNS])
    if not latest:
        return []
    rows = OutboundMessage.objects.filter(status__in=[Status.FAILED, Status.UNKNOWN], campaign__in=latest).order_by()
    counted = Counter(row["reason"] for row in rows.values("reason")[:MOST_FAILURES_READ])
    words = dict(Reason.choices)
    page = reverse("admin:messaging_outboundmessage_changelist")
    return [
        Failure(str(words.get(reason or "", reason)), count, f"{page}?reason={reason}")
        for reason, count in counted.most_common()
    ]


def _midnight() -> datetime:
    return timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
