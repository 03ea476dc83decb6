"""How far a campaign is, as the database counts it."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

MESSAGE_STATUSES = ("pending", "sending", "sent", "delivered", "read", "failed", "unknown", "skipped", "cancelled")


def _count() -> "models.IntegerField[int, int]":
    return models.IntegerField(default=0, db_default=0, editable=False)


class CampaignProgress(models.Model):
    """How many of a campaign's messages stand where; kept right by triggers, in the transaction that changes a message.

    The row is made with its campaign and goes with it. Readers only read it.
    """

    campaign = models.OneToOneField(
        "campaigns.Campaign", models.DO_NOTHING, primary_key=True, db_constraint=False, related_name="progress"
    )
    total = _count()
    pending = _count()
    sending = _count()
    sent = _count()
    delivered = _count()
    read = _count()
    failed = _count()
    unknown = _count()
    skipped = _count()
    cancelled = _count()

    class Meta:
        db_table = "campaign_progress"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=Q(total=sum((F(status) for status in MESSAGE_STATUSES[1:]), F(MESSAGE_STATUSES[0]))),
                name="campaign_progress_equation",
            )
        ]

    def __str__(self) -> str:
        return f"{self.campaign_id}: {self.total}"

    @property
    def stats(self) -> dict[str, int]:
        """`total` and the nine counts whose sum it is."""
        return {name: getattr(self, name) for name in ("total", *MESSAGE_STATUSES)}

    @property
    def done(self) -> int:
        """Messages that need no more work."""
        return self.total - self.pending - self.sending
