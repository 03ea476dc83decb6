"""API tokens: who may call the API, which of them are in use, and nothing that could be used if it leaked."""

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _
from knox.models import AbstractAuthToken


class ApiToken(AbstractAuthToken):  # type: ignore[misc]
    """A program's key to the API; only its SHA-512 digest is kept, so it is shown once, when it is made.

    Deleting the row revokes the token.
    """

    name = models.CharField(_("name"), max_length=150, help_text=_("Which program uses it."))
    last_used_at = models.DateTimeField(
        _("last used"), null=True, editable=False, help_text=_("To the minute; empty if it never was.")
    )

    class Meta:
        db_table = "api_tokens"
        verbose_name = _("API token")
        verbose_name_plural = _("API tokens")
        ordering: ClassVar[list[str]] = ["-created"]

    def __str__(self) -> str:
        return self.name
