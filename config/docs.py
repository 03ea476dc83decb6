"""Serves the OpenAPI document, and the page that shows it; nothing in either comes from outside."""

from typing import Any, cast

from django.utils.translation import gettext as _
from drf_spectacular.renderers import OpenApiJsonRenderer2, OpenApiYamlRenderer
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.permissions import IsAuthenticated
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from customers.strict import StrictView, refuse


class JsonErrors(APIView):
    """Errors are JSON, whatever else the view renders."""

    def handle_exception(self, exc: Exception) -> Response:
        """The API's answer to this exception."""
        renderer = JSONRenderer()
        self.request.accepted_renderer, self.request.accepted_media_type = renderer, renderer.media_type
        return super().handle_exception(exc)


class SchemaView(StrictView, JsonErrors, SpectacularAPIView):
    """The OpenAPI 3.1 document: YAML, or JSON with `Accept: application/json` or `?format=json`."""

    permission_classes = (IsAuthenticated,)

    def query_parameters(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Only the format."""
        return (), ("format",)

    def get_renderers(self) -> list[BaseRenderer]:
        """Those of the format that is asked for."""
        known: dict[str, type[BaseRenderer]] = {"json": OpenApiJsonRenderer2, "yaml": OpenApiYamlRenderer}
        wanted = self.request.GET.get("format") if hasattr(self, "request") else None
        return [known[wanted]()] if wanted in known else super().get_renderers()

    @extend_schema(responses={(200, "application/json"): OpenApiTypes.OBJECT})
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """This document."""
        if request.query_params.get("format", "json") not in {"json", "yaml"}:
            refuse("format", _("The formats are json and yaml."), "invalid_choice")
        return cast("Response", super().get(request, *args, **kwargs))  # type: ignore[no-untyped-call]


class DocsView(StrictView, JsonErrors, SpectacularSwaggerSplitView):
    """The document as a page to read and to try calls on; everything it loads comes from this server."""

    permission_classes = (IsAuthenticated,)
    url_name = "schema"

    def query_parameters(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The page asks for its own script."""
        return (), ("script",)
