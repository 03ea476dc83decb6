"""What Infobip sends to our door: delivery reports and incoming messages, many in one request."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from messaging.providers.base import Hook, Malformed, Receipt, Reply
from messaging.providers.reading import compare, dig, moment, phone, shown, written_at

# `status` of a delivery report: `groupId`, and in the group DELIVERED its `id`, of which only the handset's is the end.
# https://www.infobip.com/docs/essentials/api-essentials/response-status-and-error-codes (2026-11-25).
GROUPS: dict[int, Literal["sent", "failed"]] = {1: "sent", 2: "failed", 4: "failed", 5: "failed"}
DELIVERED = 3
ENDS: dict[int, Literal["sent", "delivered"]] = {2: "sent", 5: "delivered"}  # _TO_OPERATOR, _TO_HANDSET
# `status.id` and `error.id` that say that the person does not want it: REJECTED_DND, REJECTED_DESTINATION;
# EC_DEST_ADDRESS_BLACKLISTED (the operator's register), EC_BLACKLISTED_DESTINATIONADDRESS. Same page.
OPT_OUTS, OPT_OUT_ERRORS = frozenset({10, 14}), frozenset({2050, 2052})


class InfobipDoor:
    """Reads `results`; demands the credentials of `webhook_basic` or `webhook_header` where one is given."""

    def __init__(self, webhook_basic: str, webhook_header: str) -> None:
        if webhook_basic and webhook_header:
            raise ValueError("webhook_basic and webhook_header exclude each other")
        self._name, self._value = "", ""
        if webhook_basic:
            user, _, password = webhook_basic.partition(":")
            if not (user and password):
                raise ValueError("webhook_basic must be user:password")
            self._name, self._value = "authorization", f"Basic {b64encode(webhook_basic.encode()).decode()}"
        if webhook_header:
            name, _, value = (word.strip() for word in webhook_header.partition(":"))
            if not (name and value and name.isascii() and " " not in name):
                raise ValueError("webhook_header must be Name: value")
            self._name, self._value = name.lower(), value

    @property
    def demands(self) -> bool:
        """Whether a request must carry credentials."""
        return bool(self._name)

    def verify(self, hook: Hook) -> None:
        """Raise `Forged` unless it carries the credentials, where any are demanded."""
        if self.demands:
            compare(hook.headers.get(self._name, ""), self._value)

    def read(self, hook: Hook) -> Sequence[Receipt | Reply]:
        """What each of `results` says, in their order; raises `Malformed` when one of them is neither of both."""
        results = dig(hook.json, "results")
        if not isinstance(results, list) or not results:
            raise Malformed("it has no results")
        return [said for result in results for said in _read(result, hook.received_at)]


def code(value: Any) -> int:
    """One of the vendor's numbers; 0 for what is none."""
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _read(result: Any, received_at: datetime) -> Sequence[Receipt | Reply]:
    if isinstance(dig(result, "status"), Mapping):
        return _receipts(result, received_at)
    if isinstance(dig(result, "text"), str) and dig(result, "from") is not None:
        return _replies(result, received_at)
    raise Malformed("a result is no delivery report and no message")


def _receipts(result: Mapping[str, Any], received_at: datetime) -> Sequence[Receipt]:
    named, reference = result.get("messageId"), result.get("callbackData") or ""
    if not (isinstance(named, str) and named) or not isinstance(reference, str):
        raise Malformed("a delivery report without messageId")
    group, number = code(dig(result, "status.groupId")), code(dig(result, "status.id"))
    said = ENDS.get(number) if group == DELIVERED else GROUPS.get(group)
    if said is None:
        return []
    at = moment(result.get("sentAt" if said == "sent" else "doneAt"), received_at)
    if said != "failed":
        return [Receipt(said, at, reference or named, named)]
    is_opt_out = number in OPT_OUTS or code(dig(result, "error.id")) in OPT_OUT_ERRORS
    to = phone(result.get("to", "")) if is_opt_out else ""
    return [Receipt(said, at, reference or named, named, _why(result), is_opt_out, to)]


def _why(result: Mapping[str, Any]) -> str:
    """The names of the status and of the error, and whether the vendor holds that for final."""
    words = [shown(dig(result, "status.name"))]
    if code(dig(result, "error.id")):
        words.append(shown(dig(result, "error.name")))
        if isinstance(is_final := dig(result, "error.permanent"), bool):
            words.append("permanent" if is_final else "temporary")
    return ", ".join(words)


def _replies(result: Mapping[str, Any], received_at: datetime) -> Sequence[Reply]:
    """Empty for a sender without a number."""
    sender = phone(result["from"])
    if not sender:
        return []
    at = written_at(result.get("receivedAt"), received_at)
    return [Reply("sms", sender, result["text"], at, str(result.get("messageId") or ""), str(result.get("to") or ""))]
