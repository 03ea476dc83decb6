"""Compares a campaign's counts with its rows, and says what is stuck and why."""

import json
from typing import Any

from django.db import connection
from django.utils.translation import gettext as _

from campaigns.models import MESSAGE_STATUSES, Campaign, Status


def audit(campaign: Campaign) -> dict[str, Any]:
    """The campaign's counts, the counts of its rows, whether they agree, and what is stuck.

    ``{"campaign", "status", "reason", "expected", "launching", "stats", "rows", "consistent", "stuck"}``, where `stuck`
    is a list of ``{"what", "count", "why"}``. Counts and rows are read in one statement, so that a campaign may be
    audited while it sends. Reads every row of the campaign: seconds for a million. Raises `Campaign.DoesNotExist`
    when it was deleted.
    """
    campaign.refresh_from_db()
    stats, rows = _stats_and_rows(campaign.pk)
    return {
        "campaign": campaign.pk,
        "status": campaign.status,
        "reason": campaign.reason or None,
        "expected": campaign.expected,
        "launching": campaign.launching,
        "stats": stats,
        "rows": rows,
        "consistent": stats == rows,
        "stuck": _stuck(campaign),
    }


def _stats_and_rows(campaign_id: int) -> tuple[dict[str, int], dict[str, int]]:
    names = ("total", *MESSAGE_STATUSES)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {', '.join(names)}, ("  # noqa: S608
            "  SELECT coalesce(json_object_agg(status, n), '{}') FROM ("
            "    SELECT status, count(*) AS n FROM outbound_messages WHERE campaign_id = %(id)s GROUP BY status"
            "  ) AS counted"
            ") FROM campaign_progress WHERE campaign_id = %(id)s",
            {"id": campaign_id},
        )
        row = cursor.fetchone()
    if row is None:
        raise Campaign.DoesNotExist  # deleted since it was read
    *counts, counted = row
    found: dict[str, int] = json.loads(counted) if isinstance(counted, str) else counted
    rows = {"total": sum(found.values())} | {name: found.get(name, 0) for name in MESSAGE_STATUSES}
    return dict(zip(names, counts, strict=True)), rows


# Counted batch by batch and subtracted: to ask each message for its batch took 6 s for a million.
_COVERED = (
    "(SELECT count(*) FROM message_batches AS batch JOIN outbound_messages AS message"
    " ON message.campaign_id = batch.campaign_id AND message.id BETWEEN batch.first_id AND batch.last_id"
    " WHERE batch.campaign_id = %(id)s AND message.status = "
)
_MESSAGES = "SELECT count(*) FROM outbound_messages AS message WHERE message.campaign_id = %(id)s AND message.status = "
_NOW = "statement_timestamp()"
_QUESTIONS = {
    "pending_in_no_batch": f"SELECT ({_MESSAGES} 'pending') - {_COVERED} 'pending')",
    "sending_without_lease": f"SELECT ({_MESSAGES} 'sending') - {_COVERED} 'sending' AND batch.leased_until >= {_NOW})",
    "waiting_to_retry": f"{_MESSAGES} 'pending' AND message.due_at > {_NOW}",
    "provider_held": (
        "SELECT coalesce(max(progress.pending), 0) FROM campaign_progress AS progress"
        " JOIN message_batches AS batch USING (campaign_id) JOIN sender_states ON alias = batch.provider"
        " WHERE progress.campaign_id = %(id)s AND held_until > statement_timestamp()"
    ),
    "lease_ran_out": (
        "SELECT count(*) FROM message_batches WHERE campaign_id = %(id)s AND leased_until < statement_timestamp()"
    ),
}


def _stuck(campaign: Campaign) -> list[dict[str, Any]]:
    why = {
        "pending_in_no_batch": _("Pending, but no batch hands them to a worker: please report this."),
        "sending_without_lease": _("On the wire when their worker was lost; the sweep will make them unknown."),
        "waiting_to_retry": _("Refused for the moment; they are tried again when their time comes."),
        "provider_held": _(
            "The provider fails or asked to slow down; it is left alone for a while and then tried by itself."
        ),
        "lease_ran_out": _("Batches whose worker was lost; the sweep will hand them to another."),
    }
    found = []
    if campaign.status == Status.PAUSED:
        pending = campaign.progress.pending
        found.append({"what": "paused", "count": pending, "why": _("The campaign is paused; resume it to go on.")})
    with connection.cursor() as cursor:
        for what, question in _QUESTIONS.items():
            cursor.execute(question, {"id": campaign.pk})
            [count] = cursor.fetchone()
            if count:
                found.append({"what": what, "count": count, "why": why[what]})
    return found
