"""Brings in whole lists of what people said: numbers that opted out elsewhere, or that opted in by a form.

A file says one thing about one channel. Its columns are the phone and, where it has them, `at` (when it was said) and
`note`. Lines whose `state` or `channel` say something else are refused, so an exported ledger is read back by parts;
other columns are passed over.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.translation import gettext as _

from customers import consent
from customers.cells import Refused
from customers.columns import UnusableHeader, plan
from customers.consent import Fact
from customers.consent_rehearsal import Ledger, Rehearsal
from customers.models import Channel, ConsentSource, ConsentState
from customers.phones import InvalidPhone, normalise
from customers.reading import Broken, Piece, Record, Source, Unreadable
from customers.refusals import Refusals

# Events a transaction; they are kept in memory meanwhile.
SLICE = 5_000


@dataclass(slots=True)
class Summary:
    """What became, or would become, of the records of one file: added, known before (or repeated), or refused."""

    encoding: str
    delimiter: str
    records: int = 0
    added: int = 0
    known: int = 0
    refused: int = 0
    refusals: Path | None = None


def import_file(
    path: Path, *, state: ConsentState, channel: Channel, region: str, refusals: Path, encoding: str | None = None,
    delimiter: str | None = None, by: int | None = None, note: str = "", dry_run: bool = False,
) -> Summary:  # fmt: skip
    """Add what the file says to the ledger, slice by slice; what became of each record.

    Without `at` it was said now; but an opt-in of which nobody says when is refused for a number that has opted out,
    since it may be the older of the two. An older fact changes nothing that was said later. `note` is for lines that
    have none of their own. Refused records go to the file `refusals`. With `dry_run` the ledger is only read, and the
    summary is what an import would give. May be repeated: with `at` nothing is added twice, without it the ledger gets
    another line each. Raises `Unreadable` or `UnusableHeader` when nothing was stored; a database error leaves the
    slices before it.
    """
    file = Source(path, encoding=encoding, delimiter=delimiter)
    pieces = file.pieces()
    summary = Summary(file.encoding, file.delimiter)
    said = Fact("", channel, state, ConsentSource.IMPORT, user_id=by, note=note)
    reader = _Reader(_header(pieces), region, said, timezone.now())
    ledger = Rehearsal(channel) if dry_run else Ledger(channel)
    with Refusals(refusals) as refused:
        facts = _facts(pieces, reader, summary, refused)
        while read := list(islice(facts, SLICE)):
            batch = list(_believed(read, reader, ledger, refused))
            # Of repeats the latest is kept, so that it does not matter in which slice they are.
            latest = {fact.phone: fact for fact in sorted(batch, key=lambda fact: fact.at or reader.now)}
            added = ledger.add(list(latest.values()))
            summary.added, summary.known = summary.added + added, summary.known + len(batch) - added
        summary.refused, summary.refusals = refused.count, refused.path if refused.count else None
    return summary


def _believed(read: Sequence[tuple[int, Fact]], reader: "_Reader", ledger: Ledger, refused: Refusals) -> Iterator[Fact]:
    """All but the opt-ins without a time of numbers that have opted out."""
    undated = [fact.phone for _, fact in read if fact.state == ConsentState.OPTED_IN and fact.at is reader.now]
    silent = ledger.opted_out(undated)
    for line, fact in read:
        if fact.phone in silent and fact.at is reader.now:
            refused.add(line, "at", _("This number has opted out: say when it opted in, in a column “at”."), fact.phone)
        else:
            yield fact


def _header(pieces: Iterator[Piece]) -> list[str]:
    for piece in pieces:
        if isinstance(piece, Broken):
            raise UnusableHeader(_("The first line cannot be read: %(reason)s") % {"reason": piece.reason})
        if not piece.is_blank:
            return piece.fields
    raise Unreadable(_("The file holds nothing but blank lines."))


def _facts(
    pieces: Iterator[Piece], reader: "_Reader", summary: Summary, refused: Refusals
) -> Iterator[tuple[int, Fact]]:
    """The line and what it says."""
    for piece in pieces:
        if isinstance(piece, Record) and piece.is_blank:
            continue
        summary.records += 1
        if isinstance(piece, Broken):
            refused.add(piece.line, "", piece.reason, piece.text)
            continue
        try:
            yield piece.line, reader.fact(piece.fields)
        except Refused as mistake:
            refused.add(piece.line, mistake.column, str(mistake), mistake.value)


class _Reader:
    """Turns records into facts; raises `UnusableHeader` when no column looks like the phone."""

    def __init__(self, header: Sequence[str], region: str, fact: Fact, now: datetime) -> None:
        columns = [column.name for column in plan(header, {})]
        self.now = now
        self._header = header
        self._region = region
        self._fact = fact
        self._phone = columns.index("phone")
        self._at = columns.index("at") if "at" in columns else None
        self._note = columns.index("note") if "note" in columns else None
        asked = {"state": str(fact.state), "channel": str(fact.channel)}
        self._asked = {columns.index(name): value for name, value in asked.items() if name in columns}

    def fact(self, fields: Sequence[str]) -> Fact:
        """What one record says; raises `Refused`."""
        if len(fields) < len(self._header):
            sentence = _("The line has %(here)d fields and the header %(there)d.")
            raise Refused("", "", sentence % {"here": len(fields), "there": len(self._header)})
        if "\0" in "".join(fields):
            raise Refused("", "", _("The line holds the null character."))
        for index, asked in self._asked.items():
            if fields[index].strip().lower() not in ("", asked):
                sentence = _("The line says something else than what is being imported: %(asked)s.")
                raise Refused(self._header[index], fields[index], sentence % {"asked": asked})
        note = fields[self._note].strip()[: consent.LONGEST_NOTE] if self._note is not None else ""
        at = self._moment(fields[self._at].strip()) if self._at is not None else self.now
        return replace(self._fact, phone=self._number(fields[self._phone]), note=note or self._fact.note, at=at)

    def _number(self, text: str) -> str:
        try:
            return normalise(text, self._region)
        except InvalidPhone as mistake:
            raise Refused(self._header[self._phone], text, str(mistake)) from mistake

    def _moment(self, text: str) -> datetime:
        """When it was said: a time with its offset, or a day, of which the beginning in UTC counts."""
        if not text:
            return self.now
        at = None
        with suppress(ValueError):
            if day := parse_date(text):
                at = datetime(day.year, day.month, day.day, tzinfo=UTC)
            else:
                at = parse_datetime(text)
        if at is None or at.utcoffset() is None or at > self.now:
            sentence = _("Write when it was said like 2026-01-31T09:00:00Z or 2026-01-31; it cannot be in the future.")
            raise Refused("at", text, sentence)
        return at
