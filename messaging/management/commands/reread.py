"""`manage.py reread ALIAS`: has what a sender's vendor told us, and nobody could read, read again."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from messaging import bells, hooks


class Command(BaseCommand):
    help = (
        "Have the received requests of a sender that could not be worked off read again, after its adapter was mended."
        " May be repeated."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("alias", help="the sender")

    def handle(self, *args: Any, **options: Any) -> None:
        count = hooks.again(options["alias"])
        bells.ring_hooks()
        self.stdout.write(f"{count:,} requests of {options['alias']} wait to be read again.")
