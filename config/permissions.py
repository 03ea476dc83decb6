"""Which Django model permissions a call of the API needs."""

from collections.abc import Collection
from typing import Any

from django.utils.translation import gettext as _
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

_VERBS = {"GET": "view", "HEAD": "view", "POST": "add", "PUT": "change", "PATCH": "change", "DELETE": "delete"}


class ModelPermissions(BasePermission):
    """The view's `permissions_required` for this action, else add, change, delete or view of its model."""

    def has_permission(self, request: Request, view: Any) -> bool:
        """Whether the user is known and holds what the call needs; `message` then names what is missing."""
        if not request.user.is_authenticated:
            return False
        missing = [name for name in sorted(_needed(request.method or "", view)) if not request.user.has_perm(name)]
        if missing:
            self.message = _("This needs the permission %(names)s.") % {"names": ", ".join(missing)}
        return not missing


def _needed(method: str, view: Any) -> Collection[str]:
    if view.action in (None, "metadata"):
        return ()  # answered with 405, or with what the call would take
    if view.action in (named := getattr(view, "permissions_required", {})):
        return named[view.action]  # type: ignore[no-any-return]
    meta = view.queryset.model._meta  # noqa: SLF001 (Django documents it)
    return (f"{meta.app_label}.{_VERBS[method]}_{meta.model_name}",)
