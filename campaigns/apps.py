"""The campaigns app: what is said to whom and when."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CampaignsConfig(AppConfig):
    """Registers the app."""

    name = "campaigns"
    verbose_name = _("Campaigns")
