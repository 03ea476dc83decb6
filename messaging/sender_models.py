"""The accounts by which messages leave, as people set them up: senders, their prices, and where each stands now."""

from typing import ClassVar

from django.contrib.postgres.functions import RandomUUID
from django.core.validators import MinValueValidator, RegexValidator, validate_slug
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from customers.models import Channel
from messaging.secrets import Sealed, SealedField

# Parts a second.
LOWEST_RATE = 0.01


class Kind(models.TextChoices):
    """What an account is registered for; countries have rules for each."""

    PROMOTIONAL = "promotional", _("promotional")
    TRANSACTIONAL = "transactional", _("transactional")


def _unless(flag: str, *needed: str) -> Q:
    return Q(**{flag: False}) | Q(**dict.fromkeys(needed, True))


class Sender(models.Model):
    """An account of a provider, as people set it up.

    An alias of MESSAGE_PROVIDERS has a row without a `backend`: of it people set rate, kind and prices, and the rest is
    the settings'. `accounts.py` says what an alias is in the end.
    """

    alias = models.CharField(
        _("alias"), max_length=64, validators=[validate_slug],
        help_text=_("Its name here: letters, digits, - and _. It cannot be changed later."),
    )  # fmt: skip
    backend = models.CharField(
        _("vendor"), max_length=64, blank=True, default="", db_default="",
        help_text=_("It cannot be changed later: what was sent is known by this account."),
    )  # fmt: skip
    options = models.JSONField(
        _("options"), default=dict, db_default=models.Value({}, models.JSONField()), blank=True, editable=False
    )
    sealed = SealedField(_("credentials"), default=Sealed, db_default=models.Value(""), editable=False)
    is_enabled = models.BooleanField(_("enabled"), default=False, db_default=False)
    sends_sms = models.BooleanField(_("sends SMS"), default=False, db_default=False)
    sends_whatsapp = models.BooleanField(_("sends WhatsApp"), default=False, db_default=False)
    is_default_sms = models.BooleanField(
        _("default for SMS"), default=False, db_default=False, help_text=_("For campaigns that name no sender.")
    )
    is_default_whatsapp = models.BooleanField(
        _("default for WhatsApp"), default=False, db_default=False, help_text=_("For campaigns that name no sender.")
    )
    kind = models.CharField(
        _("kind"), max_length=16, choices=Kind, default=Kind.PROMOTIONAL, db_default=Kind.PROMOTIONAL,
        help_text=_("What the vendor registered it for."),
    )  # fmt: skip
    rate = models.FloatField(
        _("rate"), null=True, blank=True, validators=[MinValueValidator(LOWEST_RATE)],
        help_text=_("Parts a second, over all workers; empty: as MESSAGE_PROVIDERS says, or without a limit."),
    )  # fmt: skip
    hook_token = models.UUIDField(
        _("secret of its address"), db_default=RandomUUID(), editable=False,
        help_text=_("Who knows it may knock at the door for this account's receipts."),
    )  # fmt: skip
    created_at = models.DateTimeField(_("created at"), db_default=Now(), editable=False)
    updated_at = models.DateTimeField(_("updated at"), db_default=Now(), editable=False)

    class Meta:
        db_table = "senders"
        verbose_name = _("sender")
        verbose_name_plural = _("senders")
        ordering: ClassVar[list[str]] = ["alias"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["alias"], name="senders_alias_key"),
            models.CheckConstraint(
                condition=Q(rate__isnull=True) | Q(rate__gte=LOWEST_RATE),
                name="senders_rate",
                violation_error_message=_("The rate must be at least one part in a hundred seconds."),
            ),
            models.CheckConstraint(condition=Q(kind__in=Kind.values), name="senders_kind"),
            models.UniqueConstraint(
                fields=["is_default_sms"], name="senders_default_sms", condition=Q(is_default_sms=True),
                violation_error_message=_("Another sender is the default for SMS: take that from it first."),
            ),
            models.UniqueConstraint(
                fields=["is_default_whatsapp"], name="senders_default_whatsapp", condition=Q(is_default_whatsapp=True),
                violation_error_message=_("Another sender is the default for WhatsApp: take that from it first."),
            ),
            models.CheckConstraint(
                condition=_unless("is_default_sms", "sends_sms", "is_enabled"), name="senders_default_sms_serves",
                violation_error_message=_("The default for SMS must be enabled and send SMS."),
            ),
            models.CheckConstraint(
                condition=_unless("is_default_whatsapp", "sends_whatsapp", "is_enabled"),
                name="senders_default_whatsapp_serves",
                violation_error_message=_("The default for WhatsApp must be enabled and send WhatsApp."),
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return self.alias

    @property
    def channels(self) -> frozenset[str]:
        """The channels that people let it serve."""
        return frozenset(channel for channel in Channel.values if getattr(self, f"sends_{channel}"))

    @property
    def default_channels(self) -> frozenset[str]:
        """The channels whose default it is."""
        return frozenset(channel for channel in Channel.values if getattr(self, f"is_default_{channel}"))


class SenderPrice(models.Model):
    """What a part costs at an account, to numbers that begin so; of several that fit the longest counts."""

    sender = models.ForeignKey(Sender, models.CASCADE, related_name="prices", verbose_name=_("sender"))
    prefix = models.CharField(
        _("numbers that begin with"), max_length=16, blank=True, default="", db_default="",
        validators=[RegexValidator(r"^(\+[1-9][0-9]{0,14})?$", _("Write it as +254, or leave it empty for all."))],
        help_text=_("For example +254; empty: all others."),
    )  # fmt: skip
    price = models.DecimalField(_("price a part"), max_digits=12, decimal_places=6, validators=[MinValueValidator(0)])
    currency = models.CharField(
        _("currency"), max_length=3, validators=[RegexValidator(r"^[A-Z]{3}$", _("Three capitals, for example KES."))]
    )

    class Meta:
        db_table = "sender_prices"
        verbose_name = _("price")
        verbose_name_plural = _("prices")
        ordering: ClassVar[list[str]] = ["sender", "prefix"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["sender", "prefix"], name="sender_prices_prefix",
                violation_error_message=_("There is already a price for these numbers."),
            ),
            models.CheckConstraint(condition=Q(price__gte=0), name="sender_prices_price"),
            models.CheckConstraint(condition=Q(prefix__regex=r"^(\+[1-9][0-9]{0,14})?$"), name="sender_prices_numbers"),
            models.CheckConstraint(condition=Q(currency__regex=r"^[A-Z]{3}$"), name="sender_prices_currency"),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.prefix or '+…'}: {self.price} {self.currency}"


class SenderState(models.Model):
    """Where an account stands now: what its limiter, its breaker and the provider's wish to slow down say.

    A table of its own, because it is written many times a second while the account is at its limit.
    """

    alias = models.CharField(max_length=64, primary_key=True)
    free_at = models.DateTimeField(db_default=Now(), help_text="Before this time the limiter lets nothing more out.")
    urgent_until = models.DateTimeField(null=True, help_text="Until then a test or a reply goes first.")
    held_until = models.DateTimeField(null=True, help_text="Before this time nobody takes its batches.")
    hold = models.CharField(max_length=16, default="", db_default="", help_text="throttled, breaker or empty.")
    failures = models.IntegerField(default=0, db_default=0, help_text="Messages in a row that came to nothing.")
    holds = models.IntegerField(default=0, db_default=0, help_text="How often in a row the breaker has opened.")

    class Meta:
        db_table = "sender_states"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(condition=Q(hold__in=["", "throttled", "breaker"]), name="sender_states_hold"),
        ]

    def __str__(self) -> str:
        return self.alias
