"""The messaging app: the ledger of outbound messages and their delivery."""

from typing import Any

from django.apps import AppConfig
from django.apps import apps as every_app
from django.db import DEFAULT_DB_ALIAS
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class MessagingConfig(AppConfig):
    """Registers the app and its system checks."""

    name = "messaging"
    verbose_name = _("Messages")

    def ready(self) -> None:
        """Import the checks, which register themselves, tell campaigns of the senders, and see to it that migrating
        makes the senders' rows.
        """
        from campaigns import sender_choice
        from messaging import accounts, checks  # noqa: F401  (models must be loaded first)

        sender_choice.serving = accounts.serving
        post_migrate.connect(_ensure_senders, sender=self)


def _ensure_senders(*, using: str, apps: Any = every_app, **_: Any) -> None:
    """`apps` are the models as they are migrated, which may be to before there were senders."""
    from messaging import senders

    if using == DEFAULT_DB_ALIAS and "sender" in apps.all_models["messaging"]:
        senders.ensure(apps.get_model("messaging", "sender"))
