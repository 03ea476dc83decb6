"""Writes the credentials of all senders anew with the first of SECRETS_KEYS, so that the others may go."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from messaging import senders


class Command(BaseCommand):
    help = "Write the credentials of all senders anew with the first of SECRETS_KEYS. May be repeated."

    def handle(self, *args: Any, **options: Any) -> None:
        count, unreadable = senders.rotate()
        self.stdout.write(f"Credentials written anew: {count}.")
        if unreadable:
            raise CommandError(f"No key reads the credentials of: {', '.join(unreadable)}. They stay as they are.")
