"""Pages of lists, newest first: by number, or by a cursor that new rows cannot disturb."""

import binascii
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from customers.strict import refuse

DEFAULT_SIZE = 10
LARGEST_SIZE = 100
LARGEST_ID = 2**63 - 1
LONGEST_NUMBER = 1_000

NUMBER, SIZE, CURSOR, HIGHEST = "pageNumber", "pageSize", "cursor", "highestId"
_DIGITS = re.compile("[0-9]+")
_CURSOR = re.compile(rb"([ab])([0-9]{1,19})")


@dataclass(frozen=True, slots=True)
class Page:
    """What is shown, and the parameters of its neighbours; `count` only where pages have numbers."""

    items: list[Any]
    following: dict[str, Any] | None
    previous: dict[str, Any] | None
    count: int | None = None


class Paging(BasePagination):
    """`pageNumber` and `pageSize`, or `cursor` and `pageSize`; the view's `paging` says which without either.

    A page of numbers hands on the highest id of the first one as `highestId`, and those that follow leave out what is
    newer: so neither walk shows a row twice, or misses one that was there at its start, while others insert.
    """

    parameters = frozenset({NUMBER, SIZE, CURSOR, HIGHEST})

    def paginate_queryset(  # type: ignore[override]
        self, queryset: QuerySet[Any], request: Request, view: APIView | None = None
    ) -> list[Any]:
        """The rows of the page; raises `ValidationError` naming the parameter and its limit."""
        self._request = request
        given = request.query_params
        size = _number(given.get(SIZE), SIZE, DEFAULT_SIZE, LARGEST_SIZE)
        if CURSOR in given and (other := next((name for name in (NUMBER, HIGHEST) if name in given), None)):
            refuse(other, _("Give either “cursor” or page numbers, not both."), "cursor_and_page_number")
        by_cursor = CURSOR in given or (NUMBER not in given and getattr(view, "paging", "numbers") == "cursor")
        if by_cursor and HIGHEST in given:
            refuse(HIGHEST, _("“highestId” belongs to page numbers."), "without_page_number")
        if by_cursor:
            self.page = _cursor_page(queryset, given.get(CURSOR, ""), size)
        else:
            highest = _number(given[HIGHEST], HIGHEST, 0, LARGEST_ID) if HIGHEST in given else None
            self.page = _numbered_page(queryset, _number(given.get(NUMBER), NUMBER, 1, None), size, highest)
        return self.page.items

    def get_paginated_response(self, data: Any) -> Response:
        """`next`, `previous` and `results`; `count` too where pages have numbers."""
        count = {} if self.page.count is None else {"count": self.page.count}
        links = {"next": self._link(self.page.following), "previous": self._link(self.page.previous)}
        return Response({**count, **links, "results": data})

    def _link(self, changes: dict[str, Any] | None) -> str | None:
        if changes is None:
            return None
        query = self._request.query_params.copy()
        for name in (NUMBER, CURSOR, HIGHEST):
            query.pop(name, None)
        query.update(changes)
        return self._request.build_absolute_uri(f"{self._request.path}?{query.urlencode()}")

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """The shape of an answer, for the OpenAPI document."""
        link = {"type": ["string", "null"], "format": "uri"}
        return {
            "type": "object",
            "required": ["next", "previous", "results"],
            "properties": {
                "count": {"type": "integer", "description": "Only with page numbers."},
                "next": link,
                "previous": link,
                "results": schema,
            },
        }

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        """The parameters, for the OpenAPI document."""
        default = "a cursor" if getattr(view, "paging", "numbers") == "cursor" else "page numbers"
        integer = {"type": "integer", "minimum": 1}
        return [
            _parameter(NUMBER, f"The page; not together with a cursor. Without either: {default}.", integer),
            _parameter(SIZE, "Rows a page.", integer | {"maximum": LARGEST_SIZE, "default": DEFAULT_SIZE}),
            _parameter(CURSOR, "Empty to begin; then follow `next`.", {"type": "string"}),
            _parameter(
                HIGHEST,
                "With page numbers: leave out rows with a higher id. `next` carries it: new rows do not shift pages.",
                {"type": "integer", "minimum": 1, "maximum": LARGEST_ID},
            ),
        ]


def _parameter(name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "description": description, "schema": schema}


def _number(text: str | None, name: str, default: int, most: int | None) -> int:
    if text is None:
        return default
    # Longer ones only cost time; int() itself gives up at 4,300 digits.
    number = int(text) if len(text) < LONGEST_NUMBER and _DIGITS.fullmatch(text) else 0
    if number < 1 or (most is not None and number > most):
        limits = _("a whole number from 1 to %(most)d") % {"most": most} if most else _("a whole number of at least 1")
        refuse(name, _("“%(name)s” must be %(limits)s.") % {"name": name, "limits": limits}, "out_of_range")
    return number


def _numbered_page(queryset: QuerySet[Any], number: int, size: int, highest: int | None) -> Page:
    ordered = queryset.order_by("-pk")
    if highest is not None:
        ordered = ordered.filter(pk__lte=highest)
    count = ordered.count()
    start, last = (number - 1) * size, -(-count // size)
    items = list(ordered[start : start + size]) if start < count else []
    if highest is None and count:
        first = items[0].pk if number == 1 and items else ordered.values_list("pk", flat=True).first()
    else:
        first = highest
    begun = {HIGHEST: first} if first else {}
    return Page(
        items,
        {NUMBER: number + 1, **begun} if number < last else None,
        {NUMBER: max(min(number - 1, last), 1), **begun} if number > 1 else None,
        count,
    )


def _cursor_page(queryset: QuerySet[Any], cursor: str, size: int) -> Page:
    if not cursor:
        items, more = _read(queryset.order_by("-pk"), size)
        return Page(items, _below(items[-1].pk) if more else None, None)
    direction, position = _decode(cursor)
    if direction == "b":
        items, more = _read(queryset.filter(pk__lt=position).order_by("-pk"), size)
        return Page(items, _below(items[-1].pk) if more else None, _above(items[0].pk if items else position - 1))
    items, more = _read(queryset.filter(pk__gt=position).order_by("pk"), size)
    items.reverse()
    return Page(items, _below(items[-1].pk if items else position + 1), _above(items[0].pk) if more else None)


def _read(queryset: QuerySet[Any], size: int) -> tuple[list[Any], bool]:
    rows = list(queryset[: size + 1])
    return rows[:size], len(rows) > size


def _below(position: int) -> dict[str, str]:
    return {CURSOR: _encode("b", position)}


def _above(position: int) -> dict[str, str]:
    return {CURSOR: _encode("a", position)}


def _encode(direction: str, position: int) -> str:
    """Opaque: programs should follow links, not make them."""
    return urlsafe_b64encode(f"{direction}{position}".encode()).decode().rstrip("=")


def _decode(cursor: str) -> tuple[str, int]:
    try:
        decoded = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
    except (ValueError, binascii.Error):
        decoded = b""
    match = _CURSOR.fullmatch(decoded)
    if not match or int(match[2]) > LARGEST_ID or _encode(match[1].decode(), int(match[2])) != cursor:
        refuse(CURSOR, _("This is no cursor of ours; begin with an empty one and follow “next”."), "invalid_cursor")
    return match[1].decode(), int(match[2])
