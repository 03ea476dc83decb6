"""What people write back: kept, understood where it is a wish, and answered as far as the law allows."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

import structlog
from django.conf import settings
from django.db import connection
from django.db.models.functions import Now

from customers import consent, words
from customers.consent import Fact
from customers.models import Channel, Consent, ConsentEvent, ConsentSource, ConsentState, Wish
from customers.phones import E164_PATTERN, heard_from, spellings
from customers.words import Heard
from messaging.arrivals import LONGEST_NAME, AnswerStatus, Reply
from messaging.providers import base
from messaging.verdicts import storable

log = structlog.get_logger(__name__)

STATES = {Wish.OPT_OUT: ConsentState.OPTED_OUT, Wish.OPT_IN: ConsentState.OPTED_IN}
# Two machines that ask each other for help would otherwise never stop.
ANSWERED_AGAIN = timedelta(hours=1)


def take(alias: str, replies: Sequence[base.Reply], *, undated: Collection[object] = ()) -> int:
    """Keep what people wrote, and write down as consent what is certainly a wish; how many were new.

    One whose provider's id is known already is kept once, so it may be repeated. Of the `undated` the vendor does not
    say when they were written. Call it in the transaction that marks
    what they came from as done: a STOP counts from its commit on.

    A vendor may name a person by another number than the one that we wrote to. The reply is then kept under ours, and
    the wish counts for every spelling. That is told from the number alone: vendors that say in their answer to a
    message whom they took it for (Meta's `wa_id`) are few, and a STOP may come before that answer is written down.
    """
    may_be_old = [reply in undated and not reply.provider_message_id for reply in replies]
    replies = [replace(reply, phone=heard_from(reply.phone, settings.DEFAULT_PHONE_REGION)) for reply in replies]
    last = _last_messages(replies)
    replies = [replace(reply, phone=_written_to(reply, last)) for reply in replies]
    known = _states(replies)
    rows = [_row(pk, alias, reply) for pk, reply in zip(_new_ids(len(replies)), replies, strict=True)]
    for row, is_it in zip(rows, may_be_old, strict=True):
        if is_it:
            _doubt_a_start(row)
        row.message_id, row.campaign_id = last.get((row.phone, row.channel), (None, None))
        _prepare_answer(row, known)
    Reply.objects.bulk_create(rows, ignore_conflicts=True)
    fresh = set(Reply.objects.filter(pk__in=[row.pk for row in rows]).values_list("pk", flat=True))
    fresh |= _keep_others(alias, [row for row in rows if row.pk not in fresh])
    told = _told_by_others(replies)
    consent.record([fact for row in rows if row.pk in fresh and _is_acted_on(row) for fact in _facts(row, told)])
    return len(fresh)


def _keep_others(alias: str, rows: Sequence[Reply]) -> set[int]:
    """Keep without their id those that somebody else wrote, or in other words, than what the vendor sent under it
    before: ids that are not unique must cost nobody their STOP. The keys of those kept.
    """
    if not rows:
        return set()
    known = Reply.objects.filter(alias=alias, provider_message_id__in={row.provider_message_id for row in rows})
    said = {name: rest for name, *rest in known.values_list("provider_message_id", "channel", "phone", "text")}
    others = [row for row in rows if said.get(row.provider_message_id) != [row.channel, row.phone, row.text]]
    for row in others:
        row.provider_message_id = ""
    if others:
        log.warning("reply_ids_not_unique", provider=alias, replies=len(others))
    return {row.pk for row in Reply.objects.bulk_create(others)}


def counts_each_time(reply: base.Reply) -> bool:
    """Whether it asks to stop, and has no id by which a repeated one could be known: one too many does no harm. Opting
    in has to be new, or a vendor's late repeat would undo the STOP that came in between.
    """
    return not reply.provider_message_id and (reply.wish or words.wish_of(storable(reply.text)).wish) == Wish.OPT_OUT


def _doubt_a_start(row: Reply) -> None:
    """Leave to a person an opt-in that has neither id nor time and came in these words before: the door knows a request
    again only until it is purged, and an old one, replayed, must not undo the STOP that came in between.
    """
    same = Reply.objects.filter(alias=row.alias, channel=row.channel, phone=row.phone, text=row.text, wish=row.wish)
    if row.wish == Wish.OPT_IN and same.exists():
        row.heard, row.answer = "among_others", ""
        log.warning("opt_in_doubted", provider=row.alias, reply=row.pk)


def _is_acted_on(row: Reply) -> bool:
    """A person's certain wish; a short code or a name that wrote has no consent to give."""
    return row.heard != "among_others" and row.wish in STATES and _PERSON.fullmatch(row.phone) is not None


_PERSON = re.compile(E164_PATTERN)


def _row(pk: int, alias: str, reply: base.Reply) -> Reply:
    text = storable(reply.text)
    heard = words.wish_of(text)
    return Reply(
        pk=pk,
        alias=alias,
        channel=reply.channel,
        phone=reply.phone,
        text=text,
        at=reply.at,
        provider_message_id=storable(reply.provider_message_id)[:LONGEST_NAME],
        to=storable(reply.to)[:LONGEST_NAME],
        wish=reply.wish or heard.wish or "",
        heard="vendor" if reply.wish else heard.how,
        answer="" if reply.wish else _answer(heard),
    )


def _answer(heard: Heard) -> str:
    return words.answer_to(heard) if heard.is_certain else ""


def _prepare_answer(row: Reply, known: dict[tuple[str, str], str]) -> None:
    """One confirmation for a change, none for a wish that was known; what a vendor understood it answers itself."""
    if not row.answer or not _PERSON.fullmatch(row.phone):
        row.answer = ""
        return
    state = STATES.get(Wish(row.wish))
    if state is None:
        is_answered = _was_answered(row)
    else:
        is_answered = known.get((row.phone, row.channel)) == state
        known[row.phone, row.channel] = state
    if is_answered:
        row.answer = ""
    else:
        row.answer_status = AnswerStatus.DUE


def _was_answered(row: Reply) -> bool:
    earlier = Reply.objects.filter(phone=row.phone, channel=row.channel, wish=row.wish).exclude(answer_status="")
    return earlier.filter(received_at__gt=Now() - ANSWERED_AGAIN).exists()


def _facts(row: Reply, told: Collection[tuple[str, str]]) -> list[Fact]:
    """When it was said is the vendor's word, but for a STOP that would lose by it against what a program or a marketer
    wrote down by our clock: a zone left out, or a clock gone wrong, must not have the person written to.
    """
    state = STATES[Wish(row.wish)]
    return [
        Fact(
            phone, row.channel, state, ConsentSource.REPLY, words=row.text, message_id=row.message_id,
            at=None if state == ConsentState.OPTED_OUT and (phone, row.channel) in told else row.at,
        )
        for phone in spellings(row.phone)
    ]  # fmt: skip


def _told_by_others(replies: Iterable[base.Reply]) -> set[tuple[str, str]]:
    """The numbers and channels that are opted in by another's word than a reply of their own."""
    phones = {phone for reply in replies for phone in spellings(reply.phone)}
    rows = Consent.objects.filter(phone__in=phones, state=ConsentState.OPTED_IN)
    events = ConsentEvent.objects.filter(pk__in=rows.values("event_id")).exclude(source=ConsentSource.REPLY)
    return set(events.values_list("phone", "channel"))


def _states(replies: Iterable[base.Reply]) -> dict[tuple[str, str], str]:
    rows = Consent.objects.filter(phone__in={reply.phone for reply in replies})
    return {(phone, channel): state for phone, channel, state in rows.values_list("phone", "channel", "state")}


def _last_messages(replies: Sequence[base.Reply]) -> dict[tuple[str, str], tuple[int, int]]:
    """The last message, and its campaign, that left us for each of these numbers, by number and channel."""
    found: dict[tuple[str, str], tuple[int, int]] = {}
    with connection.cursor() as cursor:
        for channel in Channel.values:
            phones = {phone for reply in replies if reply.channel == channel for phone in spellings(reply.phone)}
            if phones:
                cursor.execute(_LAST, {"phones": list(phones), "channel": channel})
                found |= {(phone, channel): (message, campaign) for phone, message, campaign in cursor.fetchall()}
    return found


# By the customer's index, newest first: somebody has got thousands of messages.
_LAST = """
SELECT customer.phone, last.id, last.campaign_id FROM customers AS customer
CROSS JOIN LATERAL (
    SELECT message.id, message.campaign_id FROM outbound_messages AS message
    JOIN campaigns AS campaign ON campaign.id = message.campaign_id AND campaign.channel = %(channel)s
    WHERE message.customer_id = customer.id
        AND message.status IN ('sending', 'sent', 'delivered', 'read', 'unknown', 'failed')
    ORDER BY message.id DESC LIMIT 1
) AS last
WHERE customer.phone = ANY(%(phones)s)
"""


def _written_to(reply: base.Reply, last: Mapping[tuple[str, str], tuple[int, int]]) -> str:
    """The spelling of its number that a message went to last; its own when none did."""
    return max(spellings(reply.phone), key=lambda phone: last.get((phone, reply.channel), (0, 0)))


def _new_ids(count: int) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval(pg_get_serial_sequence('replies', 'id')) FROM generate_series(1, %s)", [count])
        return [pk for (pk,) in cursor.fetchall()]
