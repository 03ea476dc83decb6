"""Campaigns: the state machine; where one can stand is told in `states`, what is counted of each in `progress`."""

from collections.abc import Collection
from typing import Any, ClassVar

from django.conf import settings
from django.core.validators import MaxLengthValidator, MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Case, F, Q, Value, When
from django.db.models.functions import Length, Now
from django.db.models.lookups import LessThanOrEqual
from django.utils.translation import gettext_lazy as _

from campaigns import whatsapp
from campaigns.indexes import LongNamedIndex
from campaigns.progress import MESSAGE_STATUSES, CampaignProgress
from campaigns.states import (
    AUDIENCE_GIVEN,
    ENDED,
    EXPIRED,
    KEPT,
    MESSAGES_WRITTEN,
    NO_LAUNCH,
    REVISABLE,
    REVISABLE_LATER,
    RUNNING,
    IllegalTransition,
    Status,
    starts_before_it_expires,
)
from customers.models import Channel

__all__ = [
    "AUDIENCE_GIVEN", "ENDED", "KEPT", "MESSAGES_WRITTEN", "MESSAGE_STATUSES", "Campaign", "CampaignProgress",
    "IllegalTransition", "Status",
]  # fmt: skip

LONGEST_TEMPLATE = 5_000
HEAVIEST = 100


class CampaignQuerySet(models.QuerySet["Campaign"]):
    """Questions about many campaigns."""

    def done(self) -> "CampaignQuerySet":
        """Campaigns that `complete` would end."""
        return self.filter(RUNNING | EXPIRED, launching=False, progress__pending=0, progress__sending=0).order_by("id")

    def due(self) -> "CampaignQuerySet":
        """Scheduled or resumed campaigns whose time has come and whose sending has not begun."""
        return self.filter(
            status__in=[Status.SCHEDULED, Status.SENDING], started_at=None, scheduled_at__lte=Now()
        ).order_by("scheduled_at", "id")


class Campaign(models.Model):
    """A text, a channel, an audience, a time.

    ::

        draft ──► scheduled ──► sending ◄──────► sent │ failed    (back: the owner's retry or resend)
          ▲           │  ▲        │  ▲               ▲
          └───────────┘  └─ paused ──┘               │            draft, scheduled, sending, paused ──► cancelled
                      │        └─────────────────────┤
                      └──────────────────────────────┘ it expired before it went out

    Every move is one UPDATE whose WHERE names the states it may start from, so of two callers one wins and the other
    gets `IllegalTransition`. Nothing else writes `status`.
    """

    name = models.CharField(_("name"), max_length=200)
    channel = models.CharField(_("channel"), max_length=16, choices=Channel)
    status = models.CharField(
        _("status"), max_length=16, choices=Status, default=Status.DRAFT, db_default=Status.DRAFT, editable=False
    )
    reason = models.CharField(
        _("reason"), max_length=64, blank=True, default="", db_default="", editable=False,
        help_text=_("Why it is where it is, when Clarion itself moved it."),
    )  # fmt: skip
    base_template = models.TextField(
        _("text"), blank=True, default="", db_default="", validators=[MaxLengthValidator(LONGEST_TEMPLATE)]
    )
    sender = models.CharField(
        _("sender"), max_length=64, blank=True, default="", db_default="",
        help_text=_("The account that it goes out by; empty: the channel's default."),
    )  # fmt: skip
    whatsapp_template = models.CharField(
        _("WhatsApp template"), max_length=whatsapp.LONGEST_NAME, blank=True, default="", db_default="",
        validators=[whatsapp.validate_template],
        help_text=_(
            "The name of a template that WhatsApp approved: the values of the text's placeholders, in their order, fill"
            " its variables. Empty: free text, which WhatsApp delivers only within 24 hours of a person's message."
        ),
    )  # fmt: skip
    whatsapp_language = models.CharField(
        _("template's language"), max_length=16, blank=True, default="", db_default="",
        validators=[whatsapp.validate_language],
        help_text=_("As it was approved, for example en_GB."),
    )  # fmt: skip
    scheduled_at = models.DateTimeField(_("scheduled at"), null=True, blank=True)
    expires_at = models.DateTimeField(
        _("expires at"), null=True, blank=True,
        help_text=_("What has not gone out by then is never sent: rather not at all than too late."),
    )  # fmt: skip
    weight = models.PositiveSmallIntegerField(
        _("weight"), default=1, db_default=1, validators=[MinValueValidator(1), MaxValueValidator(HEAVIEST)],
        help_text=_("Its share of the provider's rate beside other running campaigns: 1 to 100."),
    )  # fmt: skip
    audience = models.JSONField(
        _("audience"), null=True, editable=False,
        help_text=_('Null until it is given, then {"kind": "list"} or {"kind": "all"}.'),
    )  # fmt: skip
    expected = models.PositiveIntegerField(_("expected"), default=0, db_default=0, editable=False)
    launching = models.BooleanField(
        _("launching"), default=False, db_default=False, editable=False,
        help_text=_("Whether a worker is still writing its messages."),
    )  # fmt: skip
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, editable=False, related_name="+",
        verbose_name=_("created by"),
    )  # fmt: skip
    launched_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, editable=False, related_name="+",
        verbose_name=_("launched by"),
    )  # fmt: skip
    launched_at = models.DateTimeField(_("launched at"), null=True, editable=False)
    started_at = models.DateTimeField(_("started at"), null=True, editable=False)
    ended_at = models.DateTimeField(_("ended at"), null=True, editable=False)
    created_at = models.DateTimeField(_("created at"), db_default=Now(), editable=False)
    updated_at = models.DateTimeField(_("updated at"), db_default=Now(), editable=False)

    objects = CampaignQuerySet.as_manager()

    class Meta:
        db_table = "campaigns"
        verbose_name = _("campaign")
        verbose_name_plural = _("campaigns")
        ordering: ClassVar[list[str]] = ["-id"]
        permissions: ClassVar[list[tuple[str, Any]]] = [("send_campaign", _("Can send campaigns"))]
        indexes: ClassVar[list[models.Index]] = [
            LongNamedIndex(fields=["channel"], name="idx_campaigns_channel"),
            LongNamedIndex(fields=["status"], name="idx_campaigns_status"),
        ]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(condition=Q(channel__in=Channel.values), name="campaigns_channel"),
            models.CheckConstraint(condition=Q(status__in=Status.values), name="campaigns_status"),
            models.CheckConstraint(
                condition=~Q(status=Status.SCHEDULED) | Q(scheduled_at__isnull=False),
                name="campaigns_scheduled_has_time",
            ),
            models.CheckConstraint(
                condition=LessThanOrEqual(Length("base_template"), LONGEST_TEMPLATE),
                name="campaigns_base_template_length",
            ),
            models.CheckConstraint(condition=Q(weight__gte=1, weight__lte=HEAVIEST), name="campaigns_weight"),
            models.CheckConstraint(
                condition=Q(whatsapp_template="", whatsapp_language="")
                | (Q(channel=Channel.WHATSAPP) & ~Q(whatsapp_template="") & ~Q(whatsapp_language="")),
                name="campaigns_whatsapp_template",
                violation_error_message=_("A WhatsApp template needs its language, and the channel WhatsApp."),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def revise(self, **changes: Any) -> None:
        """Change name, channel, sender, text, template, times or weight, while status and rows allow it.

        A time makes a draft `scheduled`; raises `IllegalTransition`, and then nothing is changed, unless the campaign
        is a draft or scheduled, and, once its messages are written, unless only name, times and weight change. Later,
        until it is cancelled, its expiry and weight may change: after its end for what its owner sends again. It never
        expires before its time to start.
        """
        allowed = Q(status__in=[Status.DRAFT, Status.SCHEDULED])
        if changes.keys() <= REVISABLE_LATER:
            allowed |= Q(status__in=[Status.SENDING, Status.PAUSED, *ENDED])
        if changes.keys() - REVISABLE:
            allowed &= Q(audience__isnull=True)
        allowed &= starts_before_it_expires(changes)
        if changes.get("scheduled_at"):
            changes |= {"status": Status.SCHEDULED, "reason": ""}
        self._move_where(allowed, _("edited"), MESSAGES_WRITTEN, **changes)

    def unschedule(self) -> None:
        """Back to draft, without time or audience; the caller removes its untried messages in the same transaction."""
        self._move(Status.DRAFT, {Status.SCHEDULED}, _("unscheduled"), scheduled_at=None, reason="", **NO_LAUNCH)

    def pause(self, reason: str = "") -> None:
        """Stop handing messages to the provider, within a slice."""
        self._move(Status.PAUSED, {Status.SENDING, Status.SCHEDULED}, _("paused"), reason=reason)

    def resume(self) -> None:
        """Back to what it was; a campaign whose time came meanwhile goes on at once."""
        waits = Q(started_at=None) & (Q(scheduled_at__gt=Now()) | Q(audience__isnull=True))
        back = Case(When(waits, then=Value(Status.SCHEDULED)), default=Value(Status.SENDING))
        # Everybody is still to be drawn: that is `start`'s, which finds it by its missing start.
        starts = ~waits & Q(started_at=None) & Q(audience__kind="list")
        started_at = Case(When(starts, then=Now()), default=F("started_at"))
        self._move(back, {Status.PAUSED}, _("resumed"), reason="", started_at=started_at)

    def cancel(self) -> None:
        """End it for good; a worker marks what is pending within seconds."""
        active = {Status.DRAFT, Status.SCHEDULED, Status.SENDING, Status.PAUSED}
        self._move(Status.CANCELLED, active, _("cancelled"), ended_at=Now(), launching=False, reason="")

    def remove(self) -> None:
        """Delete it and, in the database, its messages; raises `IllegalTransition` while it is sending or paused."""
        deleted, _rows = Campaign.objects.filter(pk=self.pk).exclude(status__in=KEPT).delete()
        if not deleted:
            raise IllegalTransition(self, _("deleted"))

    def give_audience(self, audience: dict[str, Any], *, by: Any) -> None:
        """Take the audience and begin: `scheduled` when its time is still to come, else `sending`.

        Of many calls one wins, also on a scheduled campaign, because an audience is given once; the others raise
        `IllegalTransition`. Call it inside the transaction that writes the messages.
        """
        begins = Q(scheduled_at=None) | Q(scheduled_at__lte=Now())
        steps = audience["kind"] != "list"
        self._move_where(
            Q(status__in=[Status.DRAFT, Status.SCHEDULED], audience__isnull=True),
            _("sent"),
            AUDIENCE_GIVEN,
            status=Case(When(begins, then=Value(Status.SENDING)), default=Value(Status.SCHEDULED)),
            started_at=Case(When(begins, then=Now())),
            launched_at=Now() if not steps else Case(When(begins, then=Now())),
            launching=Case(When(begins, then=Value(value=steps)), default=Value(value=False)),
            audience=audience,
            launched_by=by,
            reason="",
        )

    def start(self) -> bool:
        """Begin a scheduled campaign whose time has come; false when that is not so or somebody else just did."""
        steps = ~Q(audience__kind="list")
        return self._try(
            Q(status__in=[Status.SCHEDULED, Status.SENDING], started_at=None, scheduled_at__lte=Now())
            & Q(audience__isnull=False),
            status=Status.SENDING,
            started_at=Now(),
            launched_at=Case(When(steps, then=Now()), default=F("launched_at")),
            launching=Case(When(steps, then=Value(value=True)), default=Value(value=False)),
        )

    def return_for_want_of_audience(self) -> bool:
        """Back to draft, when its time has come and nobody said whom to write to; false when that is not so."""
        return self._try(
            Q(status__in=[Status.SCHEDULED, Status.SENDING], audience__isnull=True, scheduled_at__lte=Now()),
            status=Status.DRAFT,
            scheduled_at=None,
            reason="no_audience",
        )

    def reopen(self, verb: Any) -> None:
        """Send on in a campaign that has ended: the owner's retry or resend; raises `IllegalTransition` in any other.

        The caller makes messages pending in the same transaction, else it ends again at once.
        """
        self._move(Status.SENDING, ENDED, verb, ended_at=None, reason="")

    def complete(self) -> bool:
        """End it if its last message is written and nothing is pending or sending; false when that is not so.

        `failed` when nobody was reached nor may have been, else `sent`. One that expired before it was to start, or
        while it was paused, ends too, since nothing of it can ever go out. May be repeated.
        """
        row = CampaignProgress.objects.filter(campaign=self.pk, pending=0, sending=0)
        failed = row.filter(sent=0, delivered=0, read=0, unknown=0)
        nobody = models.Exists(row.filter(total=0))
        # One that waited for the campaign's lock sees the campaign as it is now but the counts as they were when it
        # began: it must not end what was reopened meanwhile, with messages pending that it cannot see.
        unchanged = Q(launching=False, updated_at__lte=Now())
        return self._try(
            (RUNNING | EXPIRED) & unchanged & Q(models.Exists(row)),
            status=Case(When(models.Exists(failed), then=Value(Status.FAILED)), default=Value(Status.SENT)),
            reason=Case(
                When(EXPIRED, then=Value("expired")), When(nobody, then=Value("no_audience")), default=F("reason")
            ),
            ended_at=Now(),
        )

    def _move(self, to: Any, of: Collection[Status], verb: Any, **changes: Any) -> None:
        self._move_where(Q(status__in=of), verb, status=to, **changes)

    def _move_where(self, allowed: Q, verb: Any, given: tuple[str, Any] | None = None, **changes: Any) -> None:
        if not self._try(allowed, **changes):
            raise IllegalTransition(self, verb, given)

    def _try(self, allowed: Q, **changes: Any) -> bool:
        moved = Campaign.objects.filter(allowed, pk=self.pk).update(updated_at=Now(), **changes)
        if moved:
            self.refresh_from_db()
        return bool(moved)
