"""`manage.py send_campaign ID`: sends a campaign from the command line and watches it until it ends."""

import re
import time
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import InterfaceError, OperationalError, connection
from tqdm import tqdm

from campaigns.audience import Audience, Everybody, InvalidAudience, listed
from campaigns.models import Campaign, CampaignProgress, IllegalTransition, Status
from customers.models import Customer
from customers.phones import InvalidPhone, normalise
from messaging import dispatch

MOST_NAMED = 100
LOOK_SECONDS = 0.5
INTERRUPTED = 130
_MOVING = (Status.SCHEDULED, Status.SENDING, Status.PAUSED)


class Command(BaseCommand):
    help = "Send a campaign and watch it until it ends: 0 when it ended as sent. Ctrl-C stops only the watching."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("campaign", type=int, help="the campaign's id")
        whom = parser.add_mutually_exclusive_group(required=True)
        whom.add_argument("--all", action="store_true", help="to every customer")
        whom.add_argument("--ids", type=Path, metavar="FILE", help="to the customers whose ids the file lists")
        whom.add_argument("--phones", type=Path, metavar="FILE", help="to the customers whose phones the file lists")
        parser.add_argument("--no-wait", action="store_true", help="do not watch it")

    def handle(self, *args: Any, **options: Any) -> None:
        campaign = Campaign.objects.filter(pk=options["campaign"]).first()
        if campaign is None:
            raise CommandError(f"There is no campaign {options['campaign']}.")
        queued = self._send(campaign, options)
        self.stdout.write(_told(queued))
        if options["no_wait"]:
            return
        try:
            self._finish(_Watch(campaign.pk, quiet=not self.stderr.isatty(), say=self.stderr.write).until_it_ends())
        except KeyboardInterrupt:
            raise CommandError(f"Stopped watching; campaign {campaign.pk} goes on.", returncode=INTERRUPTED) from None

    def _send(self, campaign: Campaign, options: dict[str, Any]) -> dispatch.Queued:
        try:
            return dispatch.send(campaign, _audience(options), by=None)
        except (InvalidAudience, IllegalTransition) as mistake:
            raise CommandError(f"{mistake} Nothing was queued.") from mistake

    def _finish(self, campaign: Campaign | None) -> None:
        if campaign is None:
            raise CommandError("The campaign was deleted meanwhile.")
        counts = ", ".join(f"{count:,} {name}" for name, count in campaign.progress.stats.items() if count)
        sentence = f"Campaign {campaign.pk} ended as {campaign.status}: {counts}."
        if campaign.status == Status.SENT:
            self.stdout.write(sentence)
            return
        if campaign.status == Status.PAUSED:
            sentence = f"Campaign {campaign.pk} paused itself ({campaign.reason}); mend that and resume it. {counts}."
        if campaign.status == Status.DRAFT:
            sentence = f"Campaign {campaign.pk} went back to draft ({campaign.reason or 'it was unscheduled'})."
        raise CommandError(sentence)


class _Watch:
    """Looks at one campaign twice a second, shows what it sees, and says when somebody pauses or resumes it."""

    def __init__(self, campaign_id: int, *, quiet: bool, say: Any) -> None:
        self._id = campaign_id
        self._quiet = quiet
        self._say = say
        self._status = ""

    def until_it_ends(self) -> Campaign | None:
        """The campaign as it ended or paused itself; none when it was deleted."""
        with tqdm(unit=" messages", disable=self._quiet, dynamic_ncols=True) as bar:
            while True:
                try:
                    campaign = Campaign.objects.select_related("progress").filter(pk=self._id).first()
                except (OperationalError, InterfaceError):
                    # The database is away; the campaign is not lost with it. Look again with a new connection.
                    connection.close()
                    time.sleep(LOOK_SECONDS)
                    continue
                if campaign is not None:
                    self._show(bar, campaign)
                if campaign is None or not _goes_on(campaign):
                    return campaign
                time.sleep(LOOK_SECONDS)

    def _show(self, bar: Any, campaign: Campaign) -> None:
        progress: CampaignProgress = campaign.progress
        if campaign.status != self._status and campaign.status in (Status.PAUSED, Status.SCHEDULED):
            bar.clear()
            why = f" ({campaign.reason})" if campaign.reason else ""
            when = f" for {campaign.scheduled_at:%Y-%m-%d %H:%M %Z}" if campaign.status == Status.SCHEDULED else ""
            self._say(f"The campaign is {campaign.status}{when}{why}: waiting. Ctrl-C stops only the watching.")
        self._status = campaign.status
        bar.total = max(campaign.expected, progress.total)
        bar.set_description(campaign.status, refresh=False)
        counts = {name: count for name, count in progress.stats.items() if count and name not in ("total", "pending")}
        bar.set_postfix(counts, refresh=False)
        bar.update(progress.done - bar.n)
        bar.refresh()


def _goes_on(campaign: Campaign) -> bool:
    """Whether it may go on without anybody mending something: an owner's pause has no reason, Clarion's own has."""
    return campaign.status in _MOVING and not (campaign.status == Status.PAUSED and campaign.reason)


def _told(queued: dispatch.Queued) -> str:
    campaign = queued.campaign
    if queued.launching or (campaign.status == Status.SCHEDULED and not queued.messages_queued):
        return f"Campaign {campaign.pk} is {campaign.status}: {queued.expected:,} customers expected."
    return (
        f"Campaign {campaign.pk} is {campaign.status}: {queued.messages_queued:,} queued, {queued.skipped:,} skipped."
    )


def _audience(options: dict[str, Any]) -> Audience:
    if options["all"]:
        return Everybody()
    if options["ids"]:
        return listed(_ids(_text(options["ids"])))
    return listed(_ids_of(_phones(_text(options["phones"]))))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as fault:
        raise CommandError(f"{path} cannot be read: {fault.strerror}. Nothing was queued.") from fault
    except UnicodeDecodeError as fault:
        raise CommandError(f"{path} is not a text file in UTF-8. Nothing was queued.") from fault


def _ids(text: str) -> list[int]:
    words = list(filter(None, re.split(r"[\s,;]+", text)))
    # int() takes +1, 1_000 and digits of every script, and takes minutes for a million of them.
    strange = [word for word in words if not re.fullmatch(r"[0-9]{1,19}", word)]
    if strange:
        raise CommandError(f"These are no ids: {_named(strange)}. Nothing was queued.")
    return list(map(int, words))


def _phones(text: str) -> list[str]:
    """Phones stand on lines of their own or between commas; blanks may be inside them, or between them."""
    found: list[str] = []
    strange: list[str] = []
    for item in filter(None, map(str.strip, re.split(r"[\n\r,;\t]+", text))):
        numbers = _normalised([item]) or _normalised(item.split())
        found += numbers
        if not numbers:
            strange.append(item)
    if strange:
        raise CommandError(f"These are no valid phone numbers: {_named(strange)}. Nothing was queued.")
    return found


def _normalised(items: list[str]) -> list[str]:
    """All of them in E.164, or none when one is no phone number."""
    try:
        return [normalise(item, settings.DEFAULT_PHONE_REGION) for item in items]
    except InvalidPhone:
        return []


def _ids_of(phones: list[str]) -> list[int]:
    known = dict(Customer.objects.filter(phone__in=set(phones)).values_list("phone", "id"))
    unknown = [phone for phone in dict.fromkeys(phones) if phone not in known]
    if unknown:
        raise CommandError(f"No customer has these phones: {_named(unknown)}. Nothing was queued.")
    return list(known.values())


def _named(items: list[str]) -> str:
    more = f" and {len(items) - MOST_NAMED:,} more" if len(items) > MOST_NAMED else ""
    return ", ".join(item[:40] for item in items[:MOST_NAMED]) + more
