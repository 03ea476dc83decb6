"""Reads JSON bodies strictly: whatever PostgreSQL or the next reader could choke on is refused with a sentence."""

import json
import re
from collections.abc import Mapping
from typing import IO, Any, NoReturn

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.utils.translation import gettext as _
from rest_framework.exceptions import ErrorDetail, ParseError, ValidationError
from rest_framework.parsers import JSONParser

DEEPEST = 32

# The only ways in which a NUL or a lone surrogate gets past UTF-8 and the JSON grammar. Looking for them first spares
# a walk through every other document.
_SUSPICIOUS = re.compile(rb"\\u(0000|[dD][89abAB][0-9a-fA-F]{2}|[dD][c-fC-F][0-9a-fA-F]{2})")
_NULL = "\0"
_SURROGATE = re.compile("[\ud800-\udfff]")


class LimitedJSONParser(JSONParser):
    """UTF-8 JSON (RFC 8259), at most DATA_UPLOAD_MAX_MEMORY_SIZE bytes and 32 levels deep, each name once."""

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:  # fmt: skip
        """The document; raises `ParseError`, `RequestDataTooBig` or `ValidationError` (a text that cannot be kept)."""
        del media_type, parser_context
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        body = stream.read(limit + 1)
        if len(body) > limit:
            raise RequestDataTooBig
        try:
            document = json.loads(body.decode(), parse_constant=_refuse_constant, object_pairs_hook=_object)
        except UnicodeDecodeError as mistake:
            raise ParseError(_("The body is not UTF-8.")) from mistake
        except RecursionError as mistake:
            raise _too_deep() from mistake
        except ValueError as mistake:
            raise ParseError(_("The body is not JSON: %(mistake)s.") % {"mistake": _shown(mistake)}) from mistake
        _refuse_depth(document)
        if _SUSPICIOUS.search(body):
            _refuse_unstorable(document, None)
        return document


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(_("%(name)s is no JSON number") % {"name": name})


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError(_("an object has a name twice"))
    return result


def _shown(mistake: ValueError) -> str:
    """The mistake and where it is, without anything of the body (it may hold lone surrogates)."""
    return str(mistake).encode("ascii", "replace").decode()[:200].rstrip(".")


def _too_deep() -> ParseError:
    return ParseError(_("The body is nested more than %(limit)d levels deep.") % {"limit": DEEPEST})


def _refuse_depth(document: Any) -> None:
    level = [document]
    for _depth in range(DEEPEST):
        level = [
            child
            for node in level
            if isinstance(node, dict | list)
            for child in (node.values() if isinstance(node, dict) else node)
            if isinstance(child, dict | list)
        ]
        if not level:
            return
    raise _too_deep()


def _refuse_unstorable(node: Any, field: str | None) -> None:
    if isinstance(node, dict):
        for name, value in node.items():
            _refuse_text(name, field)
            _refuse_unstorable(value, field or name)
    elif isinstance(node, list):
        for value in node:
            _refuse_unstorable(value, field)
    elif isinstance(node, str):
        _refuse_text(node, field)


def _refuse_text(text: str, field: str | None) -> None:
    if _NULL in text:
        code, sentence = "null_characters_not_allowed", _("Null characters are not allowed.")
    elif _SURROGATE.search(text):
        code, sentence = "surrogate_characters_not_allowed", _("Half of a surrogate pair is not allowed.")
    else:
        return
    raise ValidationError({field or "non_field_errors": [ErrorDetail(sentence, code)]})
