"""How the admin looks, for django-unfold: name, colours, sidebar and first page."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse_lazy
from django.utils.translation import gettext_lazy as _


def _may(permission: str) -> Callable[[HttpRequest], bool]:
    """Whether the user sees a line of the sidebar."""
    return lambda request: request.user.has_perm(permission)


def _line(title: Any, icon: str, page: str, permission: str) -> dict[str, Any]:
    return {"title": title, "icon": icon, "link": reverse_lazy(page), "permission": _may(permission)}


UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Clarion",
    "SITE_HEADER": "Clarion",
    "SITE_SUBHEADER": _("SMS and WhatsApp"),
    "SITE_SYMBOL": "campaign",
    "SITE_URL": None,
    "SHOW_VIEW_ON_SITE": False,
    "STYLES": [lambda _request: static("campaigns/admin.css")],
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": lambda _request: static("campaigns/icon.svg")}],
    "DASHBOARD_CALLBACK": "messaging.dashboard.callback",
    "COLORS": {
        # Teal: the bars' red, orange, green and blue already mean something.
        "primary": {
            "50": "oklch(98.4% .014 180.72)", "100": "oklch(95.3% .051 180.801)", "200": "oklch(91% .096 180.426)",
            "300": "oklch(85.5% .138 181.071)", "400": "oklch(77.7% .152 181.912)", "500": "oklch(70.4% .14 182.503)",
            "600": "oklch(51.1% .096 186.391)", "700": "oklch(43.7% .078 188.216)", "800": "oklch(38.6% .063 188.416)",
            "900": "oklch(33% .055 189)", "950": "oklch(27.7% .046 192.524)",
        },
    },
    "SIDEBAR": {
        "show_search": False,
        "navigation": [
            {"items": [{"title": _("Overview"), "icon": "dashboard", "link": reverse_lazy("admin:index")}]},
            {
                "title": _("Campaigns"),
                "items": [
                    _line(_("Campaigns"), "campaign", "admin:campaigns_campaign_changelist", "campaigns.view_campaign"),
                    _line(
                        _("Messages"),
                        "sms",
                        "admin:messaging_outboundmessage_changelist",
                        "messaging.view_outboundmessage",
                    ),
                    _line(_("Senders"), "cell_tower", "admin:messaging_sender_changelist", "messaging.view_sender"),
                ],
            },
            {
                "title": _("People"),
                "items": [
                    _line(_("Customers"), "group", "admin:customers_customer_changelist", "customers.view_customer"),
                    _line(
                        _("Consent"),
                        "how_to_reg",
                        "admin:customers_consentevent_changelist",
                        "customers.view_consentevent",
                    ),
                    _line(
                        _("Consent words"),
                        "spellcheck",
                        "admin:customers_consentword_changelist",
                        "customers.view_consentword",
                    ),
                    _line(
                        _("Consent answers"),
                        "quickreply",
                        "admin:customers_consentanswer_changelist",
                        "customers.view_consentanswer",
                    ),
                ],
            },
            {
                "title": _("Door"),
                "items": [
                    _line(
                        _("Received requests"),
                        "inbox",
                        "admin:messaging_hookevent_changelist",
                        "messaging.view_hookevent",
                    ),
                    _line(
                        _("Unmatched receipts"),
                        "link_off",
                        "admin:messaging_unmatchedreceipt_changelist",
                        "messaging.view_unmatchedreceipt",
                    ),
                ],
            },
            {
                "title": _("Access"),
                "items": [
                    _line(_("Users"), "person", "admin:auth_user_changelist", "auth.view_user"),
                    _line(_("Groups"), "groups", "admin:auth_group_changelist", "auth.view_group"),
                    _line(_("API tokens"), "key", "admin:config_apitoken_changelist", "config.view_apitoken"),
                ],
            },
        ],
    },
}  # fmt: skip
