"""Prepares a migrated database for its first use: the admin, the API's user and token, and demo data."""

from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError
from django.db import connection, transaction

from config import demo, tokens
from config.env import env
from messaging import senders

ADMIN = "admin"
API_USER = "api"

# Any number will do, as long as nothing else in this database locks it: "CLARION" on a telephone's keys.
LOCK = 2_527_466


class Command(BaseCommand):
    help = (
        "Make the superuser “admin” with ADMIN_PASSWORD, the user “api” with API_TOKEN, and, in a database without"
        " customers and campaigns, demo data (DEMO_CUSTOMERS, 0 for none). May be repeated, and run by several at once."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.DEMO_CUSTOMERS < 0:
            raise CommandError("DEMO_CUSTOMERS must be 0 (no demo data) or more.")
        # One transaction: whoever comes second waits here and then finds everything done.
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
            self._ensure_admin(env.str("ADMIN_PASSWORD", ""))
            self._ensure_token(env.str("API_TOKEN", ""))
            self._ensure_demo(settings.DEMO_CUSTOMERS)
            senders.ensure()

    def _ensure_admin(self, password: str) -> None:
        user = User.objects.filter(username=ADMIN).first()
        if not password:
            self._say("ADMIN_PASSWORD is not set: the admin was left alone.")
        elif user is None:
            User.objects.create_superuser(ADMIN, password=password)
            self._say("Made the superuser admin.")
        # Storing the same password afresh would end the admin's sessions at every start.
        elif not user.check_password(password):
            user.set_password(password)
            user.save(update_fields=["password"])
            self._say("Changed the password of admin.")

    def _ensure_token(self, token: str) -> None:
        if not token:
            self._say("API_TOKEN is not set: the API's tokens were left alone.")
            return
        try:
            tokens.ensure(token, API_USER)
        except ValueError as mistake:
            raise CommandError(f"API_TOKEN: {mistake}") from mistake

    def _ensure_demo(self, amount: int) -> None:
        if amount and demo.is_empty():
            demo.fill(amount, by=User.objects.filter(username=ADMIN).first())
            self._say(f"Made {amount:,} demo customers and four campaigns.")

    def _say(self, sentence: str) -> None:
        self.stdout.write(sentence)
