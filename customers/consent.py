"""Who may not be written to: the one place that records and answers it."""

from collections.abc import Iterable

from customers.models import Channel, OptOut
from customers.phones import validate_e164


def opt_out(*, phone: str, channel: str, source: str) -> bool:
    """Record that `phone` must not be written to on `channel`; true when that is new. May be repeated.

    Raises `ValidationError` when `phone` is not in E.164, `ValueError` for an unknown channel; nothing is stored then.
    """
    validate_e164(phone)
    _, is_new = OptOut.objects.get_or_create(phone=phone, channel=Channel(channel), defaults={"source": source})
    return is_new


def opted_out(phones: Iterable[str], channel: str) -> set[str]:
    """Those of `phones` (E.164) that must not be written to on `channel`."""
    return set(OptOut.objects.filter(phone__in=list(phones), channel=channel).values_list("phone", flat=True))


def opted_out_sql(phone: str) -> str:
    """SQL that is true when the number in the column `phone` must not be written to on `%(channel)s`.

    For statements that decide and write in one go; answered from the index of (phone, channel).
    """
    return f"EXISTS (SELECT 1 FROM opt_outs WHERE opt_outs.phone = {phone} AND opt_outs.channel = %(channel)s)"  # noqa: S608
