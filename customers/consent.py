"""Who may not be written to: the one place that records and answers it.

What people said is a ledger, `consent_events`; what counts now is kept beside it by the database, in the same
transaction. Both are keyed by channel and phone, so who is deleted and comes back has not changed their mind.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import QuerySet

from customers.models import Channel, Consent, ConsentEvent, ConsentSource, ConsentState
from customers.phones import validate_e164

NO_CONSENT = "no_consent"
LONGEST_WORDS, LONGEST_NOTE = 2_000, 500


@dataclass(frozen=True, slots=True)
class Fact:
    """That somebody said whether `phone` (E.164) may be written to on `channel`; `at` is when, None for now.

    `words` are the person's own, `user_id` is who recorded it, `message_id` the message that it is about.
    """

    phone: str
    channel: str
    state: ConsentState
    source: str
    words: str = ""
    message_id: int | None = None
    user_id: int | None = None
    note: str = ""
    at: datetime | None = None


def opt_out(
    *, phone: str, channel: str, source: str, words: str = "", message_id: int | None = None, by: int | None = None,
    at: datetime | None = None, note: str = "",
) -> bool:  # fmt: skip
    """Record that `phone` must not be written to on `channel`; true when that is new.

    False when it was so already, or when somebody has said otherwise after `at`. May be repeated: another line in the
    ledger, nothing else. `by` is a user's id. Of parallel calls more than one may answer true.
    Raises `ValidationError` when `phone` is not in E.164, `ValueError` for an unknown channel; nothing is stored then.
    """
    return _say(Fact(phone, channel, ConsentState.OPTED_OUT, source, words, message_id, by, note, at))


def opt_in(
    *, phone: str, channel: str, source: str, words: str = "", message_id: int | None = None, by: int | None = None,
    at: datetime | None = None, note: str = "",
) -> bool:  # fmt: skip
    """Record that `phone` may be written to on `channel`; answers, may be repeated and raises as `opt_out` does."""
    return _say(Fact(phone, channel, ConsentState.OPTED_IN, source, words, message_id, by, note, at))


def record(facts: Sequence[Fact], *, skip_known: bool = False) -> int:
    """Write the facts by set, in one statement; how many were added. Checks nothing that the database does not.

    With `skip_known` those are left out that say what counts already, said no earlier than they were. What a provider
    says of one message is kept once, so it may be repeated.
    """
    # In one order, so that two who write the same do not wait for each other in a circle.
    facts = sorted(facts, key=lambda fact: (fact.phone, fact.channel))
    with connection.cursor() as cursor:
        cursor.execute(_RECORD, _columns(facts) | {"skip_known": skip_known})
        return int(cursor.rowcount)


def state(phone: str, channel: str) -> ConsentState | None:
    """What counts now for this number on this channel; None when nobody ever said anything."""
    known = Consent.objects.filter(phone=phone, channel=channel).values_list("state", flat=True).first()
    return ConsentState(known) if known else None


def history(phone: str) -> "QuerySet[ConsentEvent]":
    """All that was ever said about this number, the latest first."""
    return ConsentEvent.objects.filter(phone=phone).order_by("-at", "-id")


def refusal(phone: str, channel: str) -> str | None:
    """Why `phone` must not be written to on `channel`: `opted_out`, `no_consent`, or None when it may be."""
    return refusal_of(state(phone, channel))


def refusal_of(known: ConsentState | None) -> str | None:
    """Why a number must not be written to when this counts for it, by REQUIRE_OPT_IN."""
    if known == ConsentState.OPTED_OUT:
        return ConsentState.OPTED_OUT.value
    return NO_CONSENT if settings.REQUIRE_OPT_IN and known is None else None


def refusal_sql(phone: str) -> str:
    """SQL for why the number in the column `phone` must not be written to, as `refusal`; with `params` its parameters.

    For statements that decide and write in one go. PostgreSQL folds the setting, so each row costs one look-up in the
    index of (phone, channel).
    """
    here = f"FROM consents WHERE consents.phone = {phone} AND consents.channel = %(channel)s"
    return (
        "CASE WHEN %(require_opt_in)s THEN"
        f" CASE (SELECT consents.state {here}) WHEN 'opted_in' THEN NULL WHEN 'opted_out' THEN 'opted_out'"
        f" ELSE '{NO_CONSENT}' END"
        f" WHEN EXISTS (SELECT 1 {here} AND consents.state = 'opted_out') THEN 'opted_out' END"
    )


def params(channel: str) -> Mapping[str, Any]:
    """What a statement with `refusal_sql` needs to know."""
    return {"channel": channel, "require_opt_in": settings.REQUIRE_OPT_IN}


def _say(fact: Fact) -> bool:
    validate_e164(fact.phone)
    before = state(fact.phone, Channel(fact.channel))
    record([fact])
    return before != fact.state and state(fact.phone, fact.channel) == fact.state


def _columns(facts: Sequence[Fact]) -> dict[str, Any]:
    return {
        "phones": [fact.phone for fact in facts],
        "channels": [str(fact.channel) for fact in facts],
        "states": [fact.state.value for fact in facts],
        "sources": [str(fact.source) for fact in facts],
        "words": [_storable(fact.words, LONGEST_WORDS) for fact in facts],
        "messages": [fact.message_id for fact in facts],
        "users": [fact.user_id for fact in facts],
        "notes": [_storable(fact.note, LONGEST_NOTE) for fact in facts],
        "ats": [fact.at for fact in facts],
    }


def _storable(text: str, limit: int) -> str:
    """PostgreSQL refuses NUL and lone surrogates, and what a person wrote must never cost us their wish."""
    return text.replace("\0", "").encode(errors="replace").decode()[:limit]


# A vendor's clock may be ahead of ours, but nothing was said after now: it would win over whatever is said next.
_RECORD = f"""
INSERT INTO consent_events (phone, channel, state, source, words, message_id, user_id, note, at)
SELECT fact.phone, fact.channel, fact.state, fact.source, fact.words, fact.message_id, fact.user_id, fact.note,
    least(coalesce(fact.at, clock_timestamp()), clock_timestamp())
FROM unnest(
    %(phones)s::text[], %(channels)s::text[], %(states)s::text[], %(sources)s::text[], %(words)s::text[],
    %(messages)s::bigint[], %(users)s::bigint[], %(notes)s::text[], %(ats)s::timestamptz[]
) WITH ORDINALITY AS fact (phone, channel, state, source, words, message_id, user_id, note, at, n)
WHERE NOT (%(skip_known)s AND EXISTS (
    SELECT 1 FROM consents WHERE consents.phone = fact.phone AND consents.channel = fact.channel
        AND consents.state = fact.state AND consents.at >= fact.at
))
ORDER BY fact.n
ON CONFLICT (message_id) WHERE source = '{ConsentSource.PROVIDER.value}' DO NOTHING
"""  # noqa: S608
