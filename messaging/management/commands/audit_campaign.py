"""`manage.py audit_campaign ID`: compares a campaign's counts with its rows."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from campaigns.models import Campaign
from messaging.audit import audit


class Command(BaseCommand):
    help = (
        "Print, as JSON, a campaign's counts, the counts of its rows, and what is stuck and why."
        " Ends with 0 when counts and rows agree."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("campaign", type=int, help="the campaign's id")

    def handle(self, *args: Any, **options: Any) -> None:
        campaign = Campaign.objects.filter(pk=options["campaign"]).first()
        if campaign is None:
            raise CommandError(f"There is no campaign {options['campaign']}.")
        report = audit(campaign)
        self.stdout.write(json.dumps(report, ensure_ascii=False, indent=2))
        if not report["consistent"]:
            raise CommandError(f"Campaign {campaign.pk}: the counts do not agree with the rows.")
