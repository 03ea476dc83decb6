"""Brings customers in from a file: each record ends as a customer, an update, a repeat or a refused line.

The walk: `reading` yields records, `columns` says which field is where, `cells` checks and normalises what they hold;
good rows are copied into a temporary table (`staging`), repeats are laid together there, and slices of it are written
to `customers`.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from django.db import DatabaseError, transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

from customers import attributes, cells, staging
from customers.columns import Column, UnusableHeader, plan
from customers.reading import Broken, Piece, Record, Source, Unreadable
from customers.refusals import Refusals

# Customers a transaction. Larger ones are no faster, and hold locks longer.
SLICE = 10_000

# What is being done, how much of it is done, of how much: bytes while reading, customers while writing.
Progress: TypeAlias = Callable[[str, int, int], None]


class Stopped(RuntimeError):
    """The import could not be brought to its end; `summary` says what was stored until then, and stays."""

    def __init__(self, summary: "Summary", fault: str) -> None:
        self.summary = summary
        super().__init__(
            _("The import stopped (%(fault)s): %(stored)d customers are stored. Start it again: that is harmless.")
            % {"fault": fault, "stored": summary.created + summary.updated + summary.unchanged}
        )


@dataclass(slots=True)
class Summary:
    """What became of the records of one file."""

    encoding: str
    delimiter: str
    columns: list[Column]
    records: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    repeats: int = 0
    refused: int = 0
    blank_lines: int = 0
    refusals: Path | None = None
    dry_run: bool = False

    @property
    def adds_up(self) -> bool:
        """Whether each record is counted exactly once."""
        return self.records == self.created + self.updated + self.unchanged + self.repeats + self.refused


def import_file(
    path: Path,
    *,
    region: str,
    refusals: Path,
    columns: Mapping[str, str] | None = None,
    encoding: str | None = None,
    delimiter: str | None = None,
    dry_run: bool = False,
    progress: Progress = lambda _what, _done, _of: None,
) -> Summary:
    """Store the customers of the file and say what became of each record; with `dry_run`, what would.

    Customers are recognised by their phone. An empty cell leaves what is stored; of repeats in the file the last wins,
    cell by cell. Refused records go to the file `refusals`. Nothing is stored before the whole file has been read; then
    slices are committed one by one. May be repeated, and by several at once: what is stored already is left untouched.
    Raises `Unreadable` or `columns.UnusableHeader` when nothing was stored, `Stopped` when some of it was.
    """
    source = Source(path, encoding=encoding, delimiter=delimiter)
    pieces = source.pieces()
    layout = plan(_header(pieces), columns or {})
    summary = Summary(source.encoding, source.delimiter, layout, dry_run=dry_run)
    with Refusals(refusals) as refused:
        try:
            _stage(source, pieces, cells.Reader(layout, region), summary, refused, progress)
            summary.repeats = staging.lay_repeats_together()
            _write(summary, refused, progress)
        except DatabaseError as fault:
            raise Stopped(summary, type(fault).__name__) from fault
        finally:
            summary.refused = refused.count
            summary.refusals = refused.path if refused.count else None
            # A connection that is broken has taken its temporary tables with it.
            with suppress(DatabaseError):
                staging.drop()
    if not summary.adds_up:
        raise AssertionError(f"the numbers do not add up: {summary}")
    return summary


def _header(pieces: Iterator[Piece]) -> list[str]:
    for piece in pieces:
        if isinstance(piece, Broken):
            raise UnusableHeader(_("The first line cannot be read: %(reason)s") % {"reason": piece.reason})
        if not piece.is_blank:
            return piece.fields
    raise Unreadable(_("The file holds nothing but blank lines."))


def _stage(
    source: Source,
    pieces: Iterator[Piece],
    reader: cells.Reader,
    summary: Summary,
    refused: Refusals,
    progress: Progress,
) -> None:
    """Copy what can be stored into the temporary table and write down the rest."""
    with staging.begin() as copy:
        for piece in pieces:
            if isinstance(piece, Record) and piece.is_blank:
                summary.blank_lines += 1
                continue
            summary.records += 1
            if isinstance(piece, Broken):
                refused.add(piece.line, "", piece.reason, piece.text)
                continue
            try:
                copy.write_row((piece.line, *reader.row(piece.fields)))
            except cells.Refused as mistake:
                refused.add(piece.line, mistake.column, str(mistake), mistake.value)
            if not summary.records % 1_000:
                progress("reading", source.position, source.size)
    progress("reading", source.size, source.size)


def _write(summary: Summary, refused: Refusals, progress: Progress) -> None:
    """Write slice after slice, by phone: two imports of the same people then never wait in a circle."""
    total = staging.count()
    for first in range(1, total + 1, SLICE):
        last = min(first + SLICE - 1, total)
        with transaction.atomic():
            too_large = staging.remove_too_large(first, last)
            written = staging.preview(first, last) if summary.dry_run else staging.write(first, last)
        for line in too_large:
            refused.add(line, "", str(_TOO_LARGE % _LIMITS), "")
        summary.created += written.created
        summary.updated += written.updated
        summary.unchanged += last - first + 1 - len(too_large) - written.created - written.updated
        progress("writing", last, total)


_LIMITS = {"names": attributes.MOST_NAMES, "bytes": attributes.LARGEST_JSON}
_TOO_LARGE = _lazy(
    "Together with what is stored the customer would have more than %(names)d attributes or %(bytes)d bytes of them."
)
