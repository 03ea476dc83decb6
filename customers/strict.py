"""What every API view and serializer shares: nothing that was sent is silently ignored, and times are UTC.

It stands in the lowest app because the doors of the apps above it build on it.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC
from typing import Any, ClassVar, NoReturn, TypeVar

from django.db import models
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.fields import empty
from rest_framework.request import Request
from rest_framework.views import APIView

Row = TypeVar("Row", bound=models.Model)

# How much of what was sent a refusal repeats.
MOST_NAMED = 20
LONGEST_NAME = 150

# No PUT: a program that does not know a new field yet would empty it.
METHODS = ["get", "post", "patch", "delete", "head", "options"]


def refuse(field: str, sentence: Any, code: str) -> NoReturn:
    """Raise the 400 that names this field."""
    raise ValidationError({field: [ErrorDetail(str(sentence), code)]})


class Text(serializers.CharField):
    """A JSON string; numbers are not taken for one."""

    def run_validation(self, data: Any = empty) -> Any:
        """The text; anything else is refused before it could be turned into one."""
        if data is not empty and data is not None and not isinstance(data, str):
            self.fail("invalid")
        return super().run_validation(data)


class Moment(serializers.DateTimeField):
    """A time with its offset, written in UTC with a `Z` whatever TIME_ZONE is."""

    default_error_messages = {  # noqa: RUF012 (the type that DRF declares)
        "no_offset": _("Give the time with its offset, for example 2027-01-31T09:00:00Z or 2027-01-31T12:00:00+03:00."),
    }

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(default_timezone=UTC, **kwargs)

    def to_internal_value(self, value: Any) -> Any:
        """The time in UTC; refuses one without an offset, which would mean another time on another server."""
        if not isinstance(value, str):
            self.fail("invalid", format="YYYY-MM-DDThh:mm[:ss[.uuuuuu]][+HH:MM|-HH:MM|Z]")
        try:
            parsed = parse_datetime(value)
        except ValueError:
            parsed = None
        if parsed is not None and parsed.utcoffset() is None:
            self.fail("no_offset")
        return super().to_internal_value(value)


class StrictFields(serializers.Serializer[Any]):
    """A serializer that refuses fields it does not have, and fields that cannot be set."""

    def to_internal_value(self, data: Any) -> Any:
        """The validated fields; raises `ValidationError` naming every field that is not for setting."""
        if isinstance(data, Mapping):
            writable = {name for name, field in self.fields.items() if not field.read_only}
            if surplus := [name for name in data if name not in writable]:
                raise ValidationError({name[:LONGEST_NAME]: self._refusal(name) for name in surplus[:MOST_NAMED]})
        return super().to_internal_value(data)

    def _refusal(self, name: str) -> list[ErrorDetail]:
        if name in self.fields:
            return [ErrorDetail(str(_("This field cannot be set.")), "read_only")]
        return [ErrorDetail(str(_("There is no such field here.")), "unknown_field")]


class StrictModelSerializer(StrictFields, serializers.ModelSerializer[Row]):
    """A strict serializer of a model, with our own fields for texts and times."""

    serializer_field_mapping = serializers.ModelSerializer.serializer_field_mapping | {
        models.CharField: Text,
        models.TextField: Text,
        models.DateTimeField: Moment,
    }


class Nothing(StrictFields):
    """The body of a call that takes none: absent or an empty object."""


class StrictView(APIView):
    """A view that refuses query parameters it does not know, or that are given twice, or filters without a value.

    Django takes a body sent in chunks, without a length, for none at all: that is refused too.

    `list_actions` are those that take the parameters of the view's filters and of its paginator.
    """

    list_actions: ClassVar[frozenset[str]] = frozenset({"list"})

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """After authentication and permissions, look at what would be ignored."""
        super().initial(request, *args, **kwargs)
        if "Transfer-Encoding" in request.headers and not request.headers.get("Content-Length"):
            refuse("non_field_errors", _("Send the body with its Content-Length, not in chunks."), "length_required")
        filters, others = self.query_parameters()
        errors: dict[str, list[ErrorDetail]] = {}
        for name, values in request.query_params.lists():
            if name not in filters and name not in others:
                errors[name[:LONGEST_NAME]] = [_error(_("There is no such parameter here."), "unknown_parameter")]
            elif len(values) > 1:
                errors[name] = [_error(_("This parameter may be given only once."), "repeated")]
            elif name in filters and not values[0]:
                errors[name] = [_error(_("Give a value, or leave the parameter out."), "blank")]
        if errors:
            raise ValidationError(dict(list(errors.items())[:MOST_NAMED]))

    def query_parameters(self) -> tuple[Iterable[str], Iterable[str]]:
        """The names of this action's filters, and of what else the query may hold."""
        if getattr(self, "action", None) not in self.list_actions:
            return (), ()
        filters = getattr(self, "filterset_class", None)
        paginator = getattr(self, "paginator", None)
        return (filters.base_filters if filters else ()), getattr(paginator, "parameters", ())


def _error(sentence: Any, code: str) -> ErrorDetail:
    return ErrorDetail(str(sentence), code)
