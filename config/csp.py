"""The Content-Security-Policy: strict everywhere, and on the admin's pages just what its scripts need."""

from csp.middleware import CSPMiddleware, PolicyParts
from django.http import HttpRequest, HttpResponseBase
from django.urls import reverse

# unfold's pages hold inline scripts, and its Alpine.js evaluates expressions in attributes.
ADMIN_SCRIPTS = ["'unsafe-inline'", "'unsafe-eval'"]


class PolicyMiddleware(CSPMiddleware):
    """Adds to the policy of the settings what the admin needs, there only."""

    def get_policy_parts(
        self, request: HttpRequest, response: HttpResponseBase, report_only: bool = False
    ) -> PolicyParts:
        """The parts of one answer's policy."""
        parts = super().get_policy_parts(request, response, report_only)
        if not report_only and request.path_info.startswith(reverse("admin:index")):
            parts.update = dict(parts.update or {}) | {"script-src": ADMIN_SCRIPTS}
        return parts
