"""`manage.py import_consent FILE`: the command line's door to `customers.consent_import`."""

import secrets
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from django.utils.translation import gettext as _

from customers import consent_import
from customers.columns import UnusableHeader
from customers.models import Channel, ConsentState
from customers.phones import validate_region
from customers.reading import Unreadable


class Command(BaseCommand):
    help = (
        "Add to the ledger of consent what a CSV file says: that its numbers opted out of a channel, or in. Columns:"
        " the phone, and if there are any “at” (when it was said) and “note”. Refused lines go to a file of their own."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--state", required=True, choices=ConsentState.values)
        parser.add_argument("--channel", required=True, choices=Channel.values)
        parser.add_argument("--region", default=settings.DEFAULT_PHONE_REGION)
        parser.add_argument("--delimiter", help="one character; found out if not given")
        parser.add_argument("--encoding", help="for example utf-8, cp1252 or utf-16; found out if not given")
        parser.add_argument("--dry-run", action="store_true", help="say what an import would do, and add nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        region = str(options["region"]).upper()
        try:
            validate_region(region)
        except ValidationError as mistake:
            raise CommandError(f"--region: {mistake.messages[0]}") from mistake
        try:
            summary = consent_import.import_file(
                options["file"],
                state=ConsentState(options["state"]),
                channel=Channel(options["channel"]),
                region=region,
                refusals=_refusals(options["file"]),
                encoding=options["encoding"],
                delimiter=options["delimiter"],
                dry_run=options["dry_run"],
            )
        except (Unreadable, UnusableHeader) as mistake:
            raise CommandError(_("%(mistake)s Nothing was stored.") % {"mistake": mistake}) from mistake
        if options["dry_run"]:
            self.stdout.write("Nothing was stored. An import would give:")
        self.stdout.write(
            f"{summary.records:,} records: {summary.added:,} added, {summary.known:,} known before,"
            f" {summary.refused:,} refused."
        )
        if summary.refusals:
            self.stdout.write(f"Refused lines: {summary.refusals}")


def _refusals(file: Path) -> Path:
    name = f"{timezone.now():%Y%m%dT%H%M%S}-{secrets.token_hex(3)}-{file.stem[:100]}-refused.csv"
    return Path(settings.CLARION_VAR) / "imports" / name
