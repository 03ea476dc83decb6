"""The messaging app: the ledger of outbound messages and their delivery."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class MessagingConfig(AppConfig):
    """Registers the app and its system checks."""

    name = "messaging"
    verbose_name = _("Messages")

    def ready(self) -> None:
        """Import the checks, which register themselves."""
        from messaging import checks  # noqa: F401  (models must be loaded first)
