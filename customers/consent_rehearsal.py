"""Where an import of consent writes: the ledger, or a rehearsal that only reads it and keeps in mind what would be."""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from customers import consent
from customers.consent import Fact
from customers.models import Channel, Consent, ConsentState


class Ledger:
    """The ledger of one channel."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def opted_out(self, phones: Sequence[str]) -> set[str]:
        """Those of the phones that have opted out."""
        rows = Consent.objects.filter(phone__in=phones, channel=self._channel, state=ConsentState.OPTED_OUT)
        return set(rows.values_list("phone", flat=True)) if phones else set()

    def add(self, facts: Sequence[Fact]) -> int:
        """Record what is not known, in one transaction; how many that were. Each fact has its time, each phone one."""
        with transaction.atomic():
            return consent.record(facts, skip_known=True)


class Rehearsal(Ledger):
    """Answers as the ledger would, by the rules of `consent.record` and of the triggers, and writes nothing.

    What slices before would have changed is kept in memory, one entry a number.
    """

    def __init__(self, channel: Channel) -> None:
        super().__init__(channel)
        self._counts: dict[str, tuple[str, datetime]] = {}

    def opted_out(self, phones: Sequence[str]) -> set[str]:
        """Those that would have opted out by then."""
        return {phone for phone, (state, _at) in self._standing(phones).items() if state == ConsentState.OPTED_OUT}

    def add(self, facts: Sequence[Fact]) -> int:
        """How many would be recorded."""
        standing, added = self._standing([fact.phone for fact in facts]), 0
        for fact in facts:
            state, at = standing.get(fact.phone, (None, None))
            assert fact.at is not None  # noqa: S101  (an import gives each its time)
            if state == fact.state and at is not None and at >= fact.at:
                continue
            added += 1
            if at is None or fact.at >= at:
                self._counts[fact.phone] = (fact.state, fact.at)
        return added

    def _standing(self, phones: Sequence[str]) -> dict[str, tuple[str, datetime]]:
        rows = Consent.objects.filter(phone__in=phones, channel=self._channel).values_list("phone", "state", "at")
        here = {phone: (state, at) for phone, state, at in rows} if phones else {}
        return here | {phone: self._counts[phone] for phone in phones if phone in self._counts}
