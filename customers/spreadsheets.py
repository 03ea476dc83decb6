"""CSV for people who open it in a spreadsheet, written line by line so that it takes no memory."""

import csv
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

# Without it Excel reads UTF-8 as something else.
BOM = "\ufeff"
# Source: OWASP, “CSV Injection”.
_BEGINS_FORMULA = frozenset("=+-@\t\r")
_PHONE = re.compile(r"\+[0-9]{1,15}")


def harmless(cell: str) -> str:
    """The cell, with an apostrophe before what a spreadsheet would take for a formula.

    A phone number in E.164 stays as it is: at the worst it is read as the number that it is.
    """
    return f"'{cell}" if cell[:1] in _BEGINS_FORMULA and not _PHONE.fullmatch(cell) else cell


def moment(at: datetime) -> str:
    """The time in UTC to the second, ending in `Z`."""
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def lines_of(rows: Iterable[Sequence[str]]) -> str:
    """The rows as lines of the file."""
    writer = csv.writer(_Echo())
    return "".join(map(writer.writerow, rows))  # it returns what the file's write returns


class _Echo:
    """A file that gives back what is written to it."""

    def write(self, text: str) -> str:
        return text
