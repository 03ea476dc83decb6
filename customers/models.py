"""Customers, the names of their attributes, and who asked not to be written to."""

from typing import Any, ClassVar

from django.core.validators import RegexValidator
from django.db import models
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from customers.attributes import validate_attributes
from customers.phones import E164_PATTERN, validate_e164
from customers.places import validate_language, validate_time_zone

E164_REGEX = rf"^{E164_PATTERN}$"


class Channel(models.TextChoices):
    """The ways to reach a phone number."""

    SMS = "sms", _("SMS")
    WHATSAPP = "whatsapp", _("WhatsApp")


class CustomerQuerySet(models.QuerySet["Customer"]):
    """Questions about many customers."""

    def opted_out(self, channel: str) -> "CustomerQuerySet":
        """Those whose number must not be written to on `channel`."""
        return self.filter(models.Exists(OptOut.objects.filter(phone=models.OuterRef("phone"), channel=channel)))


class Customer(models.Model):
    """A person with one phone number in E.164."""

    phone = models.CharField(
        _("phone"),
        max_length=32,
        validators=[validate_e164],
        help_text=_("In international form, for example +254712345678."),
    )
    first_name = models.CharField(_("first name"), max_length=150, blank=True, default="", db_default="")
    last_name = models.CharField(_("last name"), max_length=150, blank=True, default="", db_default="")
    location = models.CharField(_("location"), max_length=150, blank=True, default="", db_default="")
    preferred_product = models.CharField(_("preferred product"), max_length=150, blank=True, default="", db_default="")
    attributes = models.JSONField(
        _("attributes"),
        blank=True,
        default=dict,
        db_default=models.Value({}, models.JSONField()),
        validators=[validate_attributes],
        help_text=_("Any further fields, usable in templates; names in snake_case."),
    )
    language = models.CharField(
        _("language"),
        max_length=35,
        blank=True,
        default="",
        db_default="",
        validators=[validate_language],
        help_text=_("A BCP 47 tag such as “sw” or “en-KE”."),
    )
    time_zone = models.CharField(
        _("time zone"),
        max_length=64,
        blank=True,
        default="",
        db_default="",
        validators=[validate_time_zone],
        help_text=_("An IANA name such as “Africa/Nairobi”, if the customer gave one."),
    )
    created_at = models.DateTimeField(_("created at"), db_default=Now(), editable=False)
    updated_at = models.DateTimeField(_("updated at"), db_default=Now(), editable=False)

    objects = CustomerQuerySet.as_manager()

    class Meta:
        db_table = "customers"
        verbose_name = _("customer")
        verbose_name_plural = _("customers")
        ordering: ClassVar[list[str]] = ["-id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            # One index, not three: `unique=True` would add its own and one for LIKE.
            models.UniqueConstraint(
                fields=["phone"],
                name="idx_customers_phone",
                violation_error_message=_("Another customer already has this phone number."),
                violation_error_code="phone_taken",
            ),
            models.CheckConstraint(
                condition=models.Q(phone__regex=E164_REGEX),
                name="customers_phone_e164",
                violation_error_message=_("The phone number is not in E.164."),
            ),
        ]

    def __str__(self) -> str:
        return " ".join(filter(None, [self.first_name, self.last_name])) or self.phone

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Write the row; the database's clock notes when a new one is made, and ours when one is changed."""
        if not self._state.adding:
            self.updated_at = timezone.now()
        super().save(*args, **kwargs)


class CustomerAttribute(models.Model):
    """A name that some customer's `attributes` has or had: what templates may ask for.

    A trigger on `customers` keeps the table, so that a template is compiled without reading every customer
    (`SELECT DISTINCT jsonb_object_keys(…)` over a million rows takes about a second).
    """

    name = models.CharField(primary_key=True, max_length=150)

    class Meta:
        db_table = "customer_attributes"

    def __str__(self) -> str:
        return self.name


class OptOut(models.Model):
    """A number that must not be written to on a channel; keyed by phone, so it outlives the customer record."""

    channel = models.CharField(_("channel"), max_length=16, choices=Channel)
    phone = models.CharField(_("phone"), max_length=32, validators=[RegexValidator(E164_REGEX)])
    source = models.CharField(_("source"), max_length=64, help_text=_("How we learnt of it, e.g. “reply”."))
    created_at = models.DateTimeField(_("created at"), db_default=Now(), editable=False)

    class Meta:
        db_table = "opt_outs"
        verbose_name = _("opt-out")
        verbose_name_plural = _("opt-outs")
        ordering: ClassVar[list[str]] = ["-id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["phone", "channel"],
                name="opt_outs_phone_channel_key",
                violation_error_message=_("This number has already opted out of this channel."),
            ),
            models.CheckConstraint(condition=models.Q(channel__in=Channel.values), name="opt_outs_channel"),
            models.CheckConstraint(condition=models.Q(phone__regex=E164_REGEX), name="opt_outs_phone_e164"),
        ]

    def __str__(self) -> str:
        return f"{self.phone} ({self.get_channel_display()})"
