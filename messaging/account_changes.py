"""Since when an alias stands for the account of a vendor that it stands for now: `look_ups.py` writes and asks it."""

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class AccountChange(models.Model):
    """What an alias stood for when it was looked at last, unreadably, and when it was seen to be another."""

    alias = models.CharField(_("alias"), max_length=64, primary_key=True)
    digest = models.CharField(max_length=64, help_text="Of vendor, options and credentials, keyed.")
    noticed_at = models.DateTimeField(db_default=Now())
    changed_at = models.DateTimeField(null=True, help_text="Empty: it is still what it was when it was first seen.")

    class Meta:
        db_table = "account_changes"

    def __str__(self) -> str:
        return self.alias
