"""The configuration's own Django app: API tokens and the project's commands."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ClarionConfig(AppConfig):
    """Registers the app."""

    name = "config"
    label = "config"
    verbose_name = _("Access")
