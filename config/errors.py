"""One shape for every error of the API, and the place where the apps' own exceptions become answers."""

from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.request import UnreadablePostError
from django.utils.translation import gettext as _
from django.views import defaults
from drf_standardized_errors.formatter import ExceptionFormatter as StandardFormatter
from drf_standardized_errors.handler import ExceptionHandler as StandardHandler
from drf_standardized_errors.openapi_serializers import ClientErrorEnum, ValidationErrorEnum
from drf_standardized_errors.types import ErrorResponse
from rest_framework import exceptions, serializers, status
from rest_framework.views import APIView

from campaigns.api import CampaignSerializer
from campaigns.audience import InvalidAudience
from campaigns.models import AUDIENCE_GIVEN, MESSAGES_WRITTEN, Campaign, CampaignProgress, IllegalTransition
from customers.models import Customer


class Conflict(exceptions.APIException):
    """409: the campaign's state forbids it; `extra` shows the campaign with its counts."""

    status_code = status.HTTP_409_CONFLICT

    def __init__(self, refused: IllegalTransition) -> None:
        super().__init__(str(refused), refused.code)
        self.extra = {"campaign": CampaignSerializer(refused.campaign).data}


class TooLarge(exceptions.APIException):
    """413."""

    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE

    def __init__(self) -> None:
        sentence = _("The body is larger than %(limit)d bytes.") % {"limit": settings.DATA_UPLOAD_MAX_MEMORY_SIZE}
        super().__init__(sentence, "too_large")


class InvalidBody(exceptions.ValidationError):
    """400 for an audience that is none; `extra` names unknown customers."""

    def __init__(self, mistake: InvalidAudience) -> None:
        super().__init__({mistake.field or "non_field_errors": [str(mistake)]}, mistake.code)
        self.extra = {name: getattr(mistake, name) for name in ("ids", "count") if hasattr(mistake, name)}


class ExceptionHandler(StandardHandler):
    """Translates what the verbs raise, and what Django refuses, into errors of the API."""

    def convert_known_exceptions(self, exc: Exception) -> Exception:
        """The API's exception for this one; whatever is not known stays, and is answered with 500."""
        known: Exception = super().convert_known_exceptions(exc)
        match known:
            case IllegalTransition():
                known = Conflict(known)
            case InvalidAudience():
                known = InvalidBody(known)
            case Campaign.DoesNotExist() | CampaignProgress.DoesNotExist() | Customer.DoesNotExist():
                # Deleted by somebody else between two looks at it.
                known = exceptions.NotFound()
            case RequestDataTooBig():
                known = TooLarge()
            case UnreadablePostError():
                known = exceptions.ParseError(_("The body ended too early."))
            case SuspiciousOperation():
                known = exceptions.ParseError(_("The request cannot be read."))
        return known


class ExceptionFormatter(StandardFormatter):
    """Adds to the first error what the exception's `extra` holds, for example the `id` that has a taken phone."""

    def format_error_response(self, error_response: ErrorResponse) -> Any:
        """The body of the answer."""
        body = super().format_error_response(error_response)
        body["errors"][0] |= getattr(self.exc, "extra", {})
        return body


CLIENT_ERROR = ClientErrorEnum.choices
REFUSAL_TYPES = [*ValidationErrorEnum.choices, *CLIENT_ERROR]
CONFLICT_CODES = [
    (code, code) for code in ("illegal_transition", AUDIENCE_GIVEN[0], MESSAGES_WRITTEN[0], "phone_taken")
]
TOO_LARGE_CODES = [("too_large", "too_large")]


class _Error(serializers.Serializer[Any]):
    detail = serializers.CharField()
    attr = serializers.CharField(allow_null=True)


class _RefusalError(_Error):
    code = serializers.CharField()
    ids = serializers.ListField(
        child=serializers.IntegerField(), required=False, help_text="With `unknown_customers`: the first 100 of them."
    )
    count = serializers.IntegerField(required=False, help_text="With `unknown_customers`: how many there are.")


class _ConflictError(_Error):
    code = serializers.ChoiceField(choices=CONFLICT_CODES)
    campaign = CampaignSerializer(required=False, help_text="With `illegal_transition`: as it is now, with its counts.")
    id = serializers.IntegerField(
        required=False, allow_null=True, help_text="With `phone_taken`: the customer that has the phone."
    )


class _TooLargeError(_Error):
    code = serializers.ChoiceField(choices=TOO_LARGE_CODES)


def _answer_of(name: str, error: type[_Error], types: list[tuple[str, str]]) -> type[serializers.Serializer[Any]]:
    fields = {"type": serializers.ChoiceField(choices=types), "errors": error(many=True)}
    return type(name, (serializers.Serializer,), fields)


RefusalSerializer = _answer_of("RefusalSerializer", _RefusalError, REFUSAL_TYPES)
ConflictSerializer = _answer_of("ConflictSerializer", _ConflictError, CLIENT_ERROR)
TooLargeSerializer = _answer_of("TooLargeSerializer", _TooLargeError, CLIENT_ERROR)


class UnknownPath(APIView):
    """404 in JSON for everything under /api that nobody serves, trailing slashes included."""

    authentication_classes = ()
    permission_classes = ()
    schema = None

    def initial(self, *args: Any, **kwargs: Any) -> None:
        """Whatever the method."""
        del args, kwargs
        raise exceptions.NotFound


def _is_api(request: HttpRequest) -> bool:
    return request.path_info.startswith(("/api/", "/health/", "/metrics"))


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """400 for what Django refuses before any view, such as an unknown host: JSON under /api, else Django's page."""
    if _is_api(request):
        return answer(400, "client_error", "bad_request", _("The request cannot be read."))
    return defaults.bad_request(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """500 for an error outside the API's views: JSON under /api, else Django's page."""
    if _is_api(request):
        return answer(500, "server_error", "error", _("Server Error (500)"))
    return defaults.server_error(request)


def answer(code: int, kind: str, name: str, sentence: str) -> JsonResponse:
    """An error in the API's shape, for where none of its views is to answer."""
    error = {"code": name, "detail": sentence, "attr": None}
    return JsonResponse({"type": kind, "errors": [error]}, status=code)
