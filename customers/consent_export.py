"""The ledger of consent as a CSV file: who said what, when and how, for whoever has to prove it."""

from collections.abc import Iterator

from customers.models import ConsentEvent
from customers.spreadsheets import BOM, harmless, lines_of, moment

HEADER = (
    "event", "phone", "channel", "state", "source", "words", "message", "user", "note", "at", "recorded_at",
)  # fmt: skip
PAGE = 2_000


def lines() -> Iterator[str]:
    """The file, page by page, by ascending id.

    A page is a query of its own, so no memory and no transaction is held however long somebody takes to read it.
    """
    yield BOM + lines_of([HEADER])
    after = 0
    while page := list(ConsentEvent.objects.filter(pk__gt=after).order_by("pk")[:PAGE]):
        after = page[-1].pk
        yield lines_of([_row(event) for event in page])


def _row(event: ConsentEvent) -> list[str]:
    ids = (event.message_id or "", event.user_id or "")
    cells = (event.pk, event.phone, event.channel, event.state, event.source, event.words, *ids, event.note)
    return [*(harmless(str(cell)) for cell in cells), moment(event.at), moment(event.created_at)]
