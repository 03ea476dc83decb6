"""Infobip, SMS v3: batches of different texts, our own ids, and a log to look in afterwards."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from messaging.providers import abreast, calls
from messaging.providers.base import (
    Accepted,
    Answer,
    Capabilities,
    Envelope,
    GiveUp,
    Hook,
    OptedOut,
    Outcome,
    Receipt,
    Reply,
    StopAll,
    TryLater,
    Unknown,
)
from messaging.providers.infobip_door import InfobipDoor, code
from messaging.providers.reading import dig, shown
from messaging.providers.web import Heard, Web, check_url

SEND, LOGS = "/sms/3/messages", "/sms/3/logs"
# The vendor publishes no maximum of messages a call; it speaks of thousands.
MESSAGES, MOST_MESSAGES = 100, 1000
# The log takes 2,048 characters of ids, each in a parameter of its own as the vendor's SDKs write them (30 with our
# longest); tells 1,000 messages; and may be asked 120 times a minute. The vendor's OpenAPI description 3.210,
# 2026-11-25.
IDS_A_QUESTION, MOST_LOGGED, QUESTION_SECONDS = 60, 1000, 0.5

# `status.groupId`. https://www.infobip.com/docs/essentials/api-essentials/response-status-and-error-codes (2026-11-25).
TAKEN = frozenset({1, 3})  # PENDING, DELIVERED
LOST = frozenset({2, 4})  # UNDELIVERABLE, EXPIRED
REJECTED = 5
# `status.id` in the group REJECTED, from the same page by way of a public copy of it; any other is for good.
REJECTIONS: dict[int, Callable[[str], Outcome]] = {
    10: OptedOut,  # REJECTED_DND: the person is in the operator's register
    11: StopAll,  # REJECTED_SOURCE: the sender is not registered on the account
    12: StopAll,  # REJECTED_NOT_ENOUGH_CREDITS
    13: StopAll,  # REJECTED_SENDER: the sender is blocked
    14: OptedOut,  # REJECTED_DESTINATION: blocked on the account or at the operator's wish
    17: StopAll,  # REJECTED_PREPAID_PACKAGE_EXPIRED
    18: StopAll,  # REJECTED_DESTINATION_NOT_REGISTERED: the account is on trial
    19: StopAll,  # REJECTED_ROUTE_NOT_AVAILABLE: the account cannot send
    21: TryLater,  # REJECTED_SYSTEM_ERROR
    # REJECTED_DUPLICATE_MESSAGE_ID: an earlier try with this reference arrived, and the log knows what became of it.
    23: Unknown,
}
DUPLICATE = 23


class Infobip:
    """Posts different texts together, `batch_size` at the most, each under our reference as its `messageId`.

    `url` is the account's own, such as https://abc123.api.infobip.com; `sender` the number or name that recipients see.
    Without `webhook_basic` (`user:password`) or `webhook_header` (`Name: value`) each message tells the vendor our
    door, which knows it by its secret path. With one of them the door demands it, and messages name no door, because
    only a subscription in the vendor's portal can be given credentials. Raises `ValueError` with a sentence for options
    that cannot be meant.
    """

    LABEL = "Infobip"
    SECRETS = frozenset({"api_key", "webhook_basic", "webhook_header"})
    HELP: ClassVar[Mapping[str, str]] = {
        "url": "The base URL of your account, such as https://abc123.api.infobip.com.",
        "api_key": "With the scope sms:message:send, and that of the logs.",
        "webhook_basic": "user:password, where the vendor is to prove itself at our door; or the next one; or neither.",
        "webhook_header": "“Name: value”, which the vendor then sends with everything.",
    }

    def __init__(
        self,
        *,
        url: str,
        api_key: str,
        sender: str,
        webhook_basic: str = "",
        webhook_header: str = "",
        batch_size: int = MESSAGES,
        in_flight: int = 100,
        timeout_seconds: float = 20.0,
    ) -> None:
        self.url = check_url("url", url).rstrip("/")
        if not sender:
            raise ValueError("sender must be given: the number or name that recipients see")
        self.sender = sender
        self.batch_size = calls.check_size("batch_size", batch_size, most=MOST_MESSAGES)
        self.capabilities = Capabilities(
            channels=frozenset({"sms"}), in_flight=in_flight, timeout_seconds=timeout_seconds, looks_up=True, paces=True
        )
        self._door = InfobipDoor(webhook_basic, webhook_header)
        headers = {"Authorization": f"App {calls.check_word('api_key', api_key)}", "Accept": "application/json"}
        # Half of the time: a call that was refused whole is made once more, by each alone.
        self._web = Web(timeout_seconds=timeout_seconds / 2, headers=headers)
        self._asks_at = 0.0

    async def submit(self, envelopes: Sequence[Envelope]) -> list[Outcome]:
        """An outcome for each envelope; a call that ends without an answer is `Unknown` for all of its messages."""
        return await calls.submit(envelopes, most=self.batch_size, alike=lambda _: None, call=self._call)

    async def look_up(self, references: Sequence[str]) -> list[Outcome | None]:
        """What the vendor's log, which goes back 48 hours, says of each: `GiveUp` for what it rejected or never got."""
        slices = [references[first : first + IDS_A_QUESTION] for first in range(0, len(references), IDS_A_QUESTION)]
        asked: list[list[Outcome | None]] = await abreast.abreast(
            slices, self._ask, broken=lambda each, _: [None] * len(each)
        )
        return [answer for answers in asked for answer in answers]

    def verify(self, hook: Hook) -> None:
        """Raise `Forged` unless it carries what `webhook_basic` or `webhook_header` demands."""
        self._door.verify(hook)

    def read(self, hook: Hook) -> Sequence[Receipt | Reply]:
        """The delivery reports and incoming messages of `results`; raises `Malformed`."""
        return self._door.read(hook)

    def answer(self, hook: Hook) -> Answer:
        """Nothing: the status alone says that it was taken."""
        return Answer()

    async def _call(self, envelopes: Sequence[Envelope], leaves_at: float) -> Sequence[Outcome] | calls.Refused:
        ours = {envelope.reference for envelope in envelopes}
        heard = await self._web.call(
            "POST",
            f"{self.url}{SEND}",
            not_before=leaves_at,
            is_ours=lambda heard: _statuses(heard, "messages").keys() <= ours,
            json={"messages": [self._message(envelope) for envelope in envelopes]},
        )
        if not isinstance(heard, Heard):
            return calls.for_each(envelopes, heard)
        statuses = _statuses(heard, "messages")
        if not statuses:
            return calls.for_each(envelopes, calls.by_status(heard, str(heard.json.get("errorCode", ""))))
        return [_outcome(envelope.reference, statuses.get(envelope.reference, [])) for envelope in envelopes]

    def _message(self, envelope: Envelope) -> dict[str, Any]:
        webhooks: dict[str, Any] = {"contentType": "application/json", "callbackData": envelope.reference}
        if envelope.receipt_url and not self._door.demands:
            webhooks["delivery"] = {"url": envelope.receipt_url}
        return {
            "sender": self.sender,
            "destinations": [{"to": envelope.to.lstrip("+"), "messageId": envelope.reference}],
            "content": {"text": envelope.text},
            "webhooks": webhooks,
        }

    async def _ask(self, references: Sequence[str]) -> list[Outcome | None]:
        # Our share of the vendor's limit; what other processes ask beyond it is answered 429, and asked again later.
        now = asyncio.get_running_loop().time()
        turn, self._asks_at = max(now, self._asks_at), max(now, self._asks_at) + QUESTION_SECONDS
        heard = await self._web.call(
            "GET",
            f"{self.url}{LOGS}",
            not_before=turn,
            is_ours=lambda heard: _statuses(heard, "results").keys() <= set(references),
            params=[*(("messageId", reference) for reference in references), ("limit", str(MOST_LOGGED))],
        )
        entries = heard.json.get("results") if isinstance(heard, Heard) and heard.status == 200 else None
        if not isinstance(heard, Heard) or not isinstance(entries, list) or len(entries) >= MOST_LOGGED:
            return [None] * len(references)
        logged = _statuses(heard, "results")
        return [_became(reference, logged.get(reference)) for reference in references]


Status = dict[str, Any]


def _statuses(heard: Heard, name: str) -> dict[str, list[Status]]:
    """What the list of this name says of each message, by its id."""
    found: dict[str, list[Status]] = {}
    listed = heard.json.get(name)
    for each in listed if isinstance(listed, list) else ():
        status = dig(each, "status")
        found.setdefault(str(dig(each, "messageId")), []).append(status if isinstance(status, dict) else {})
    return found


def _outcome(reference: str, statuses: Sequence[Status]) -> Outcome:
    if not statuses:
        return Unknown("the answer leaves it out")
    status = statuses[-1]
    group = code(status.get("groupId"))
    if group in TAKEN:
        return Accepted(reference)
    if group == REJECTED:
        return REJECTIONS.get(code(status.get("id")), GiveUp)(_named(status))
    return GiveUp(_named(status)) if group in LOST else Unknown(_named(status))


def _became(reference: str, statuses: Sequence[Status] | None) -> Outcome | None:
    """What the log's entries of one message tell together; None stands for no entry. A duplicate tells of another."""
    if statuses is None:
        return GiveUp("the vendor's log does not have it")
    told = [status for status in statuses if code(status.get("id")) != DUPLICATE]
    groups = {code(status.get("groupId")) for status in told}
    if groups & (TAKEN | LOST):
        return Accepted(reference)  # what became of it afterwards is told by its receipt
    return GiveUp(_named(told[-1])) if groups == {REJECTED} else None


def _named(status: Status) -> str:
    """Its number and name, for people."""
    return f"{shown(status.get('id'))} {shown(status.get('name'))}"
