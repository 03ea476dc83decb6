"""`manage.py purge --older-than 90d`: deletes campaigns that ended long ago, and what vendors told us long ago."""

import argparse
import re
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from messaging.purge import ended_before, purge, purge_received, received_before

INTERRUPTED = 130


def days(text: str) -> timedelta:
    """`90` or `90d`; at least one day."""
    if not (found := re.fullmatch(r"([0-9]{1,6})d?", text)) or not int(found[1]):
        raise argparse.ArgumentTypeError(f"“{text}” is no number of days; write for instance 90 or 90d")
    return timedelta(days=int(found[1]))


class Command(BaseCommand):
    help = (
        "Delete the campaigns that ended (sent, failed, cancelled) longer ago than that, with their messages, a few"
        " thousand at a time, and the received requests and unmatched receipts that are as old. Customers, opt-outs,"
        " replies and campaigns that have not ended stay. May be interrupted and repeated."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--older-than", type=days, required=True, metavar="DAYS", help="for instance 90 or 90d")
        parser.add_argument("--dry-run", action="store_true", help="only say what would be deleted")
        parser.add_argument("--yes", action="store_true", help="do not ask")

    def handle(self, *args: Any, **options: Any) -> None:
        age = options["older_than"]
        found = dict(ended_before(age).values_list("pk", "progress__total"))
        messages = sum(found.values())
        events, receipts = (rows.count() for rows in received_before(age))
        what = f"{len(found):,} campaigns that ended more than {age.days} days ago, with {messages:,} messages"
        if events or receipts:
            what += f", and {events:,} received requests and {receipts:,} unmatched receipts as old"
        if options["dry_run"] or not (found or events or receipts):
            self.stdout.write(f"There are {what}. Nothing was deleted.")
            return
        if not options["yes"]:
            self._ask(what)
        self._purge(list(found), age, messages)

    def _ask(self, what: str) -> None:
        try:
            answer = input(f"Delete {what}, for good? Type yes: ")
        except EOFError:
            raise CommandError("Nobody is there to say yes; give --yes. Nothing was deleted.") from None
        if answer.strip().lower() != "yes":
            raise CommandError("Nothing was deleted.")

    def _purge(self, campaign_ids: list[int], age: timedelta, expected: int) -> None:
        campaigns = messages = received = 0
        try:
            with tqdm(total=expected, unit=" messages", disable=not self.stderr.isatty(), dynamic_ncols=True) as bar:
                for campaign_id in campaign_ids:
                    for deleted in purge(campaign_id, age):
                        campaigns += deleted.campaign
                        messages += deleted.messages
                        bar.update(deleted.messages)
            for count in purge_received(age):
                received += count
        except KeyboardInterrupt:
            told = f"Interrupted after {campaigns:,} campaigns and {messages:,} messages; start it again to go on."
            raise CommandError(told, returncode=INTERRUPTED) from None
        also = f", and {received:,} received requests and receipts" if received else ""
        self.stdout.write(f"Deleted {campaigns:,} campaigns and {messages:,} messages{also}.")
