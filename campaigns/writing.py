"""Writes a campaign's text for page after page of customers."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from django.db import connection

from campaigns import parts, rendering
from campaigns.models import Campaign
from customers import consent
from customers.models import Channel, CustomerAttribute

# Longer texts are cut one character later, which tells that they are too long: a page of them, each as long as fields
# of 16 kB can make it, took all of a worker's memory.
LONGEST_TEXT = 20_000
LOCK = "FOR KEY SHARE OF customers"


class Letter(NamedTuple):
    """What one customer would get, cut after `LONGEST_TEXT` + 1 characters, and why it must not be sent, if so.

    `variables` fill the campaign's WhatsApp template; None without one.
    """

    customer_id: int
    address: str
    text: str
    parts: int
    refusal: str | None
    variables: tuple[str, ...] | None = None


class Writer:
    """A campaign's text, compiled once, and the one query that reads just what it needs of a customer."""

    def __init__(self, campaign: Campaign) -> None:
        attributes = CustomerAttribute.objects.values_list("name", flat=True)
        self.template = rendering.compile(rendering.Language.SIMPLE, campaign.base_template, attributes)
        self.channel = campaign.channel
        self.fills_template = bool(campaign.whatsapp_template)
        columns = "".join(f", {connection.ops.quote_name(column)}" for column in self.template.columns)
        self._select = f"SELECT id, phone, {consent.refusal_sql('customers.phone')}{columns} FROM customers"  # noqa: S608

    def listed(self, ids: Sequence[int]) -> Iterator[Letter]:
        """The letters for those of these customers that exist, by ascending id, locked as by `page`."""
        return self._read(f"WHERE id = ANY(%(ids)s) ORDER BY id {LOCK}", {"ids": list(ids)})

    def page(self, *, after: int, up_to: int, limit: int, lock: bool) -> Iterator[Letter]:
        """The letters for the next `limit` customers by ascending id.

        With a `lock` no customer goes until the transaction ends: one who is deleted meanwhile makes the foreign key
        fail for the whole page.
        """
        return self._read(
            f"WHERE id > %(after)s AND id <= %(up_to)s ORDER BY id LIMIT %(limit)s {LOCK if lock else ''}",
            {"after": after, "up_to": up_to, "limit": limit},
        )

    def _read(self, which: str, params: dict[str, Any]) -> Iterator[Letter]:
        with connection.cursor() as cursor:
            cursor.execute(f"{self._select} {which}", {**params, **consent.params(self.channel)})
            rows = cursor.fetchall()
        return self._letters(rows)

    def _letters(self, rows: Iterable[Sequence[Any]]) -> Iterator[Letter]:
        render, is_sms = self.template.render_row, self.channel == Channel.SMS
        for customer_id, phone, refusal, *values in rows:
            text = render(values)[: LONGEST_TEXT + 1]
            variables = self.template.values(values) if self.fills_template else None
            yield Letter(customer_id, phone, text, parts.count(text).parts if is_sms else 1, refusal, variables)
