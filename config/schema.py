"""The OpenAPI document: which errors each call may answer with, and how one proves who one is.

DRF reads this module while views are being defined, so it must not import any.
"""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_standardized_errors.openapi import AutoSchema as StandardSchema

_WITH_BODY = {"POST", "PATCH"}


class AutoSchema(StandardSchema):
    """Adds 409 to the actions that a view's `conflicts` names, and 413 and 415 to calls with a body only."""

    def _should_add_error_response(self, responses: dict[str, Any], status_code: str) -> bool:
        if status_code == "409" and self._action() not in getattr(self.view, "conflicts", ()):
            return False
        if status_code in {"413", "415"} and self.method not in _WITH_BODY:
            return False
        return super()._should_add_error_response(responses, status_code)

    def _should_add_http403_error_response(self) -> bool:
        return True

    def _action(self) -> str | None:
        return getattr(self.view, "action", None)


class ApiTokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """`Authorization: Bearer <token>`."""

    target_class = "config.authentication.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        """As OpenAPI writes it."""
        del auto_schema
        return {"type": "http", "scheme": "bearer"}
