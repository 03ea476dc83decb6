"""Writes down the lines of an import that were refused, for people to open in a spreadsheet."""

import csv
import os
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

COLUMNS = ("line", "column", "reason", "value")
_LONGEST_VALUE = 200
# What makes a spreadsheet take a cell for a formula; source: OWASP, “CSV Injection”.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


class Refusals:
    """A CSV file that appears with the first refused line and only its owner may read, because it holds phones."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.count = 0
        self._file: IO[str] | None = None
        self._writer: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file:
            self._file.close()

    def add(self, line: int, column: str, reason: str, value: str) -> None:
        """Write one line down; cells that a spreadsheet would calculate get an apostrophe."""
        if self._file is None:
            self._open()
        self.count += 1
        self._writer.writerow([line, *map(_harmless, (column, reason, value))])

    def _open(self) -> None:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        # With the byte order mark Excel knows that it is UTF-8.
        self._file = os.fdopen(descriptor, "w", encoding="utf-8-sig", errors="backslashreplace", newline="")
        self._writer = csv.writer(self._file)
        self._writer.writerow(COLUMNS)


def _harmless(value: str) -> str:
    value = value[:_LONGEST_VALUE].replace("\0", "␀")
    return f"'{value}" if value.lstrip().startswith(_FORMULA) or value.startswith(_FORMULA) else value
