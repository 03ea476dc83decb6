"""`manage.py import_customers FILE`: the command line's door to `customers.importing`."""

import argparse
import secrets
from pathlib import Path
from typing import Any, Self

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from django.utils.translation import gettext as _
from tqdm import tqdm

from customers import importing
from customers.columns import FIELDS, UnusableHeader
from customers.phones import validate_region
from customers.reading import Unreadable

_DELIMITERS = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|"}


class Command(BaseCommand):
    help = (
        "Bring customers in from a CSV file, or bring them up to date; they are recognised by their phone. An empty"
        " cell leaves what is stored, and of repeats the last wins. Refused lines go to a CSV file of their own. May be"
        " repeated."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument(
            "--column",
            action="append",
            default=[],
            type=_column,
            metavar="NAME=FIELD",
            help=f"what the column NAME is: one of {', '.join(FIELDS)}; another name in snake_case for an attribute;"
            " or “-” to leave it out. May be given several times.",
        )
        parser.add_argument(
            "--region",
            default=settings.DEFAULT_PHONE_REGION,
            help="where numbers without + are dialled (default: %(default)s)",
        )
        parser.add_argument("--delimiter", type=_delimiter, help="one character, or “tab”; found out if not given")
        parser.add_argument("--encoding", help="for example utf-8, cp1252 or utf-16; found out if not given")
        parser.add_argument("--dry-run", action="store_true", help="only say what would be done")

    def handle(self, *args: Any, **options: Any) -> None:
        region = str(options["region"]).upper()
        try:
            validate_region(region)
        except ValidationError as mistake:
            raise CommandError(f"--region: {mistake.messages[0]}") from mistake
        with _Bars(quiet=not self.stderr.isatty()) as bars:
            summary = self._import(options, region, bars.show)
        self.stdout.write(_report(summary))

    def _import(self, options: dict[str, Any], region: str, show: importing.Progress) -> importing.Summary:
        try:
            return importing.import_file(
                options["file"],
                region=region,
                refusals=_refusals(options["file"]),
                columns=dict(options["column"]),
                encoding=options["encoding"],
                delimiter=options["delimiter"],
                dry_run=options["dry_run"],
                progress=show,
            )
        except (Unreadable, UnusableHeader) as mistake:
            raise CommandError(_("%(mistake)s Nothing was stored.") % {"mistake": mistake}) from mistake
        except importing.Stopped as stop:
            raise CommandError(str(stop)) from stop


class _Bars:
    """One progress bar for each thing that is being done."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._bar: Any = None
        self._what = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_details: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def show(self, what: str, done: int, of: int) -> None:
        if what != self._what:
            self.__exit__()
            unit = {"unit": "B", "unit_scale": True} if what == "reading" else {"unit": " customers"}
            self._what, self._bar = what, tqdm(total=of, desc=what, disable=self._quiet, **unit)
        self._bar.update(done - self._bar.n)


def _report(summary: importing.Summary) -> str:
    delimiter = "tab" if summary.delimiter == "\t" else f"“{summary.delimiter}”"
    columns = ", ".join(f"{column.header} → {column.name or column.kind}" for column in summary.columns)
    counts = (
        f"{summary.records:,} records: {summary.created:,} created, {summary.updated:,} updated,"
        f" {summary.unchanged:,} unchanged, {summary.repeats:,} repeated by a later line, {summary.refused:,} refused."
    )
    lines = [f"Read as {summary.encoding}, delimiter {delimiter}: {columns}.", counts]
    if summary.blank_lines:
        lines.append(f"{summary.blank_lines:,} blank lines were passed over.")
    if summary.refusals:
        lines.append(f"Refused lines: {summary.refusals}")
    if summary.dry_run:
        lines.append("This was a dry run: nothing was stored.")
    return "\n".join(lines)


def _refusals(file: Path) -> Path:
    name = f"{timezone.now():%Y%m%dT%H%M%S}-{secrets.token_hex(3)}-{file.stem[:100]}-refused.csv"
    return Path(settings.CLARION_VAR) / "imports" / name


def _column(text: str) -> tuple[str, str]:
    name, equals, target = text.rpartition("=")
    if not (equals and name.strip() and target.strip()):
        raise argparse.ArgumentTypeError(f"“{text}” is not of the form NAME=FIELD")
    return name.strip(), target.strip()


def _delimiter(text: str) -> str:
    character = _DELIMITERS.get(text.lower(), text)
    if len(character) != 1 or character in '"\r\n\0 ':
        raise argparse.ArgumentTypeError("the delimiter is one character, such as , ; | or “tab”")
    return character
