"""`/metrics`: the state for Prometheus, for who holds a token or a session and may see messages."""

from collections.abc import Mapping
from typing import Any, ClassVar

import structlog
from django.db import InterfaceError, OperationalError
from django.http import HttpResponse
from django.utils.translation import gettext as _
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.request import Request
from rest_framework.views import APIView

from config.errors import answer
from messaging import metrics

log = structlog.get_logger(__name__)


class OneFormat(BaseContentNegotiation):
    """Whatever the caller accepts: Prometheus names formats that it does not insist on."""

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        """The first one."""
        return renderers[0], renderers[0].media_type


class MetricsView(APIView):
    """The metrics as text; errors are the API's."""

    schema = None
    http_method_names = ["get", "head"]  # noqa: RUF012 (the type that Django declares)
    content_negotiation_class = OneFormat
    action = "metrics"
    permissions_required: ClassVar[Mapping[str, tuple[str, ...]]] = {"metrics": ("messaging.view_outboundmessage",)}

    def get(self, request: Request) -> HttpResponse:
        """Everything, read now."""
        return HttpResponse(metrics.text(), content_type=CONTENT_TYPE_PLAIN_0_0_4)

    def handle_exception(self, exc: Exception) -> Any:
        """503 while the database is away, also when it was to say who asks; else the API's answer."""
        if not isinstance(exc, (OperationalError, InterfaceError)):
            return super().handle_exception(exc)
        log.warning("metrics_without_database", fault=type(exc).__name__)
        return answer(503, "server_error", "database_away", _("The database does not answer."))
