"""Reads a delimited text file of whatever encoding record by record, and loses none of them silently."""

import codecs
import csv
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedReader, BytesIO, TextIOWrapper
from pathlib import Path
from typing import IO, TypeAlias

from django.utils.translation import gettext as _

DELIMITERS = (",", ";", "\t", "|")
# A record longer than this, in characters or in lines, is taken for a quote that somebody forgot to close.
LONGEST_RECORD = 100_000
MOST_LINES = 100

_CHUNK = 1 << 20
_DAMAGED = "\udcff"
_SURROGATE = re.compile("[\ud800-\udfff]")
_BYTE_ORDER_MARKS = (
    # UTF-32's little-endian mark begins with UTF-16's.
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SEPARATOR_HINT = re.compile(r"sep=(.)\r?\n?", re.IGNORECASE)


class Unreadable(ValueError):
    """The file as a whole cannot be read; `str()` is a sentence that says why."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record; `line` is the physical line, counted from 1, at which it starts."""

    line: int
    fields: list[str]

    @property
    def is_blank(self) -> bool:
        """Whether it is an empty line."""
        return not self.fields or (len(self.fields) == 1 and not self.fields[0].strip())


@dataclass(frozen=True, slots=True)
class Broken:
    """A line at which a record starts that cannot be read; `reason` is a sentence. Reading goes on at the next line."""

    line: int
    reason: str
    text: str


Piece: TypeAlias = Record | Broken


def mark_damage(error: UnicodeError) -> tuple[str, int]:
    """Put a lone surrogate, which no text holds, where bytes cannot be decoded."""
    if isinstance(error, UnicodeDecodeError):
        return _DAMAGED, error.end
    raise error


codecs.register_error("customers.damaged", mark_damage)


class Source:
    """A file with its encoding and delimiter; those not given are found out. Raises `Unreadable`.

    `encoding` is Python's name of it. Nothing is kept in memory but one record.
    """

    def __init__(self, path: Path, *, encoding: str | None = None, delimiter: str | None = None) -> None:
        self.path = path
        self.size = _size(path)
        self.encoding = _known(encoding) if encoding else _find_encoding(path)
        self._stream: IO[bytes] | None = None
        self._hint = 0
        self.delimiter = delimiter or self._find_delimiter()

    @property
    def position(self) -> int:
        """How many bytes have been read."""
        return self._stream.tell() if self._stream and not self._stream.closed else self.size

    def pieces(self, delimiter: str | None = None) -> Iterator[Piece]:
        """Every record of the file, and every line at which one starts that cannot be read, in their order."""
        with self.path.open("rb") as binary, self._text(binary) as text:
            self._stream = binary
            for _line in range(self._hint):
                text.readline()
            yield from _pieces(text, delimiter or self.delimiter, first_line=self._hint + 1)

    def _text(self, binary: BufferedReader) -> TextIOWrapper:
        return TextIOWrapper(binary, encoding=self.encoding, errors="customers.damaged", newline="")

    def _find_delimiter(self) -> str:
        """The one that makes most fields of the first line; Excel's own hint `sep=;` in that line is believed."""
        with self.path.open("rb") as binary, self._text(binary) as text:
            hint = _SEPARATOR_HINT.fullmatch(text.readline(10))
        if hint:
            self._hint = 1
            return hint[1]
        return max(DELIMITERS, key=self._count_fields)

    def _count_fields(self, delimiter: str) -> int:
        for piece in self.pieces(delimiter):
            if isinstance(piece, Broken):
                return piece.text.count(delimiter) + 1
            if not piece.is_blank:
                return len(piece.fields)
        return 0


class _Runaway(Exception):
    """The record has become too long."""


class _Lines:
    """Hands physical lines to the CSV parser, remembers those of the current record, and takes lines back."""

    def __init__(self, text: TextIOWrapper) -> None:
        self._text = text
        self._again: deque[str] = deque()
        self.taken: list[str] = []
        self._length = 0

    def begin(self) -> None:
        self.taken, self._length = [], 0

    def take_back(self, lines: list[str]) -> None:
        self._again.extendleft(reversed(lines))

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else self._text.readline(LONGEST_RECORD + 1)
        if not line:
            raise StopIteration
        self.taken.append(line)
        self._length += len(line)
        if self._length > LONGEST_RECORD or len(self.taken) > MOST_LINES:
            raise _Runaway
        return line

    def skip_rest_of(self, line: str) -> None:
        """Leave out what is left of a physical line of which `line` is only the beginning."""
        while line and line[-1] not in "\r\n":
            line = self._text.readline(LONGEST_RECORD + 1)


def _pieces(text: TextIOWrapper, delimiter: str, first_line: int) -> Iterator[Piece]:
    lines = _Lines(text)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    number = first_line
    while True:
        lines.begin()
        try:
            fields = next(reader)
        except StopIteration:
            return
        except (csv.Error, _Runaway) as mistake:
            # Only the first line is given up: the others may be records of their own.
            first, *others = lines.taken
            lines.take_back(others)
            if not others:
                lines.skip_rest_of(first)
            yield Broken(number, _reason(mistake, first, others), first)
            number += 1
            continue
        if any(map(_SURROGATE.search, lines.taken)):
            yield Broken(number, _("Some bytes of this line do not belong to the file's encoding."), lines.taken[0])
        else:
            yield Record(number, fields)
        number += len(lines.taken)


def _reason(mistake: Exception, first: str, others: list[str]) -> str:
    if len(first) > LONGEST_RECORD:
        return _("The line is longer than %(limit)d characters.") % {"limit": LONGEST_RECORD}
    if others or isinstance(mistake, _Runaway) or "unexpected end" in str(mistake):
        return _("A quotation mark opens in this line and is not closed where a field ends.")
    return _("After a closing quotation mark comes something other than a delimiter.")


def _size(path: Path) -> int:
    if not path.exists():
        raise Unreadable(_("There is no file %(path)s.") % {"path": path})
    if not path.is_file():
        raise Unreadable(_("%(path)s is not a file.") % {"path": path})
    try:
        with path.open("rb") as binary:
            beginning = binary.read(4)
    except OSError as fault:
        raise Unreadable(_("%(path)s cannot be read: %(fault)s.") % {"path": path, "fault": fault.strerror}) from fault
    if not beginning:
        raise Unreadable(_("%(path)s is empty.") % {"path": path})
    if beginning in (b"PK\x03\x04", b"\xd0\xcf\x11\xe0"):
        raise Unreadable(_("%(path)s is a spreadsheet or an archive; save it as CSV first.") % {"path": path})
    return path.stat().st_size


def _known(encoding: str) -> str:
    try:
        name = codecs.lookup(encoding).name
        TextIOWrapper(BytesIO(), encoding=name)  # refuses those of no text, such as base64
    except LookupError as fault:
        raise Unreadable(_("There is no encoding “%(name)s”.") % {"name": encoding}) from fault
    # With the mark or without it, the file is meant.
    return "utf-8-sig" if name == "utf-8" else name


def _find_encoding(path: Path) -> str:
    """By the byte order mark, else by where the null bytes are, else UTF-8 if that is what it can be, else cp1252.

    A file of which more characters are valid UTF-8 than are not is UTF-8 with some damage: read as cp1252 its every
    name would be garbled, and in silence.
    """
    with path.open("rb") as binary:
        beginning = binary.read(4096)
    for mark, encoding in _BYTE_ORDER_MARKS:
        if beginning.startswith(mark):
            return encoding
    nulls = (beginning[::2].count(0), beginning[1::2].count(0))
    if max(nulls) > len(beginning) / 8 and max(nulls) > 8 * min(nulls):
        return "utf-16-le" if nulls[1] > nulls[0] else "utf-16-be"
    valid, invalid = _count_utf8(path)
    return "utf-8" if valid > invalid or not invalid else "cp1252"


def _count_utf8(path: Path) -> tuple[int, int]:
    """How many characters beyond ASCII are valid UTF-8, and how many places are not."""
    decoder = codecs.getincrementaldecoder("utf-8")("customers.damaged")
    valid = invalid = 0
    with path.open("rb") as binary:
        while chunk := binary.read(_CHUNK):
            text = decoder.decode(chunk)
            if not text.isascii():
                damaged = text.count(_DAMAGED)
                invalid += damaged
                valid += len(text) - damaged - len(text.encode("ascii", "ignore"))
    return valid, invalid + decoder.decode(b"", final=True).count(_DAMAGED)
