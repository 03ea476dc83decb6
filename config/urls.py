"""Every URL of the project."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path, re_path

from config import health
from config.errors import UnknownPath
from config.metrics import MetricsView
from messaging.webhooks import door

urlpatterns: list[URLPattern | URLResolver] = [
    path("admin/", admin.site.urls),
    path("health/live", health.live),
    path("health/ready", health.ready),
    path("metrics", MetricsView.as_view(), name="metrics"),
    re_path(r"^hooks/(?P<alias>[^/]+)/(?P<token>.+)$", door, name="hook"),
    path("api/v1/", include("config.api")),
    re_path(r"^api(/|$)", UnknownPath.as_view()),
]

handler400 = "config.errors.bad_request"
handler500 = "config.errors.server_error"
