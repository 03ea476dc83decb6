"""Where a campaign can stand, what may be done there, and the refusal of what may not."""

from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from campaigns.models import Campaign


class Status(models.TextChoices):
    """Where a campaign stands."""

    DRAFT = "draft", _("draft")
    SCHEDULED = "scheduled", _("scheduled")
    SENDING = "sending", _("sending")
    PAUSED = "paused", _("paused")
    SENT = "sent", _("sent")
    FAILED = "failed", _("failed")
    CANCELLED = "cancelled", _("cancelled")


# While messages are on their way or held back, a campaign is not deleted.
KEPT = frozenset({Status.SENDING, Status.PAUSED})
ENDED = frozenset({Status.SENT, Status.FAILED})
# Campaigns that end when nothing is left of them: those that go out, and those that waited until it was too late.
RUNNING = Q(status=Status.SENDING, started_at__isnull=False)
EXPIRED = Q(status__in=[Status.PAUSED, Status.SCHEDULED], audience__isnull=False, expires_at__lte=Now())


class IllegalTransition(Exception):
    """The campaign's current state does not allow the move; nothing was changed. `code` is stable.

    `given` is the code and the sentence for a campaign whose status would allow it, but which has its audience.
    """

    def __init__(self, campaign: "Campaign", verb: Any, given: tuple[str, Any] | None = None) -> None:
        campaign.refresh_from_db()
        self.campaign = campaign
        self.code, sentence = "illegal_transition", _("Campaign %(id)d is %(status)s: it cannot be %(verb)s.")
        if given and campaign.audience is not None and campaign.status in (Status.DRAFT, Status.SCHEDULED):
            self.code, sentence = given
        super().__init__(sentence % {"id": campaign.pk, "status": campaign.get_status_display(), "verb": verb})


AUDIENCE_GIVEN = ("audience_given", _("Campaign %(id)d already has its audience; it is %(status)s."))
MESSAGES_WRITTEN = (
    "messages_written",
    _("Campaign %(id)d already has its audience: only name, times and weight can be changed, or unschedule it."),
)

# What of a campaign may change once its messages are written, and what at any time but after a cancellation.
REVISABLE = frozenset({"name", "scheduled_at", "expires_at", "weight"})
REVISABLE_LATER = frozenset({"expires_at", "weight"})
# What unscheduling takes back.
NO_LAUNCH: dict[str, Any] = {
    "audience": None,
    "expected": 0,
    "launching": False,
    "launched_by": None,
    "launched_at": None,
}


def starts_before_it_expires(changes: dict[str, Any]) -> Q:
    """What must be so of the time that does not change, when one of the two does."""
    start, end = changes.get("scheduled_at"), changes.get("expires_at")
    if start and "expires_at" not in changes:
        return Q(expires_at__isnull=True) | Q(expires_at__gt=start)
    if end and "scheduled_at" not in changes:
        return Q(scheduled_at__isnull=True) | Q(scheduled_at__lt=end)
    return Q()
