"""Shows what one customer would get, before anything is sent."""

from dataclasses import dataclass

from campaigns import parts, rendering
from campaigns.models import Campaign
from customers.models import Channel, Customer, CustomerAttribute


@dataclass(frozen=True, slots=True)
class Preview:
    """A text for one customer, and what it would take to send it; `encoding` is none where nobody counts characters."""

    rendered_content: str
    parts: int
    encoding: str | None
    missing_fields: tuple[str, ...]
    used_template: str
    variables: tuple[str, ...] = ()


def preview(campaign: Campaign, customer: Customer, template: str | None = None) -> Preview:
    """The campaign's text, or this one instead, for this customer; writes nothing and may be repeated.

    `missing_fields` are the fields that this customer has no value for, whether or not a default stands in, and then
    the names that are no field.
    """
    used = campaign.base_template if template is None else template
    attributes = CustomerAttribute.objects.values_list("name", flat=True)
    compiled = rendering.compile(rendering.Language.SIMPLE, used, attributes)
    row = compiled.row({name: getattr(customer, name) for name in compiled.columns})
    text = compiled.render_row(row)
    unknown = [mark.name for mark in compiled.unknown if mark.name.strip()]
    counted = parts.count(text) if campaign.channel == Channel.SMS else None
    return Preview(
        rendered_content=text,
        parts=counted.parts if counted else 1,
        encoding=counted.encoding if counted else None,
        missing_fields=tuple(dict.fromkeys((*compiled.missing_fields(row), *unknown))),
        used_template=used,
        variables=compiled.values(row),
    )
