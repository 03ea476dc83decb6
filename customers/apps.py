"""The customers app: people, their consent, and how they come in."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CustomersConfig(AppConfig):
    """Registers the app."""

    name = "customers"
    verbose_name = _("Customers")
