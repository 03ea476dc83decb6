"""Africa's Talking, bulk SMS: many recipients of one text in a call, an answer for each of them."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, ClassVar, Literal

from messaging.providers import calls
from messaging.providers.base import (
    Accepted,
    Answer,
    Capabilities,
    Envelope,
    GiveUp,
    Hook,
    Malformed,
    OptedOut,
    Outcome,
    Receipt,
    Reply,
    StopAll,
    TryLater,
    Unknown,
)
from messaging.providers.reading import phone, shown, writer, written_at
from messaging.providers.web import Heard, Web, check_url

LIVE, SANDBOX = "https://api.africastalking.com", "https://api.sandbox.africastalking.com"
SANDBOX_USERNAME = "sandbox"
PATH = "/version1/messaging"
# The vendor publishes no maximum of recipients a call; 50 is what other clients keep to, and what nobody saw refused.
RECIPIENTS, MOST_RECIPIENTS = 50, 1000

# `statusCode` of a recipient. https://developers.africastalking.com/docs/sms/sending/bulk, by way of three public
# integrations that agree (2026-11-25); the page itself was not seen.
ACCEPTED = frozenset({100, 101, 102})  # Processed, Sent, Queued
REFUSED: dict[int, tuple[str, Callable[[str], Outcome]]] = {
    401: ("RiskHold", StopAll),
    402: ("InvalidSenderId", StopAll),
    403: ("InvalidPhoneNumber", GiveUp),
    404: ("UnsupportedNumberType", GiveUp),
    405: ("InsufficientBalance", StopAll),
    406: ("UserInBlacklist", OptedOut),
    407: ("CouldNotRoute", GiveUp),
    # No opt-out: the vendor answers it in Nigeria also when a promotional text comes outside the permitted hours, to
    # everybody. It refuses those of the operators' registry each time, so nobody is written to who is in it.
    409: ("DoNotDisturbRejection", GiveUp),
    500: ("InternalServerError", TryLater),
    501: ("GatewayError", TryLater),
    502: ("RejectedByGateway", TryLater),
}
# Where the whole call is refused, `Recipients` is empty and `Message` is one of the names above (seen in reports of
# InvalidSenderId; unverified for the others).
NAMES = {name.casefold(): outcome for name, outcome in REFUSED.values()}

# `status` of a delivery report. https://developers.africastalking.com/docs/sms/notifications, a copy, 2026-11-25.
STATUSES: dict[str, Literal["sent", "delivered", "failed"]] = {
    "Sent": "sent",
    "Submitted": "sent",
    "Buffered": "sent",
    "Success": "delivered",
    "Rejected": "failed",
    "Failed": "failed",
    "Expired": "failed",
    # Not named as final there: a later Success outranks it.
    "AbsentSubscriber": "failed",
}
# `failureReason`, which is spelled in two ways.
BLACKLISTED = "userinblacklist"


class AfricasTalking:
    """Posts each text once to all of its recipients, `batch_size` at the most, and different texts side by side.

    The vendor knows no reference of ours: receipts name its own id, and the numbers in its answer say whose is whose.
    It signs nothing, so the door knows it by its secret path alone. It has no look-up: what times out stays unknown.
    `sender` is the short code or name that recipients see, or empty for the vendor's own. With `sandbox` it goes to
    the vendor's simulator, whose username is `sandbox`; `url` is for any other server. `enqueue` lets the vendor answer
    before it has handed over. Raises `ValueError` with a sentence for options that cannot be meant.
    """

    LABEL = "Africa's Talking"
    SECRETS = frozenset({"api_key"})
    HELP: ClassVar[Mapping[str, str]] = {
        "username": "The application's name in the dashboard; for the sandbox it is “sandbox”.",
        "api_key": "Of the application. A new one works after some minutes.",
        "sender": "The short code or sender ID that people see; empty for the vendor's own.",
        "sandbox": "Send to the vendor's own simulator: nobody gets anything.",
        "url": "Another server instead of the vendor's, for tests.",
        "enqueue": "Let the vendor answer before it has handed the messages over: for large campaigns.",
    }

    def __init__(
        self,
        *,
        username: str,
        api_key: str,
        sender: str = "",
        sandbox: bool = False,
        url: str = "",
        enqueue: bool = False,
        batch_size: int = RECIPIENTS,
        in_flight: int = 100,
        timeout_seconds: float = 20.0,
    ) -> None:
        self.username = calls.check_word("username", username)
        if sandbox != (username == SANDBOX_USERNAME):
            raise ValueError("sandbox goes with the username sandbox, and with no other")
        self.url = check_url("url", url or (SANDBOX if sandbox else LIVE)).rstrip("/") + PATH
        self.sender = sender
        self.enqueue = enqueue
        self.batch_size = calls.check_size("batch_size", batch_size, most=MOST_RECIPIENTS)
        self.capabilities = Capabilities(
            channels=frozenset({"sms"}), in_flight=in_flight, timeout_seconds=timeout_seconds, paces=True
        )
        headers = {"apiKey": calls.check_word("api_key", api_key), "Accept": "application/json"}
        # Half of the time: a call that was refused whole is made once more, by each alone.
        self._web = Web(timeout_seconds=timeout_seconds / 2, headers=headers)

    async def submit(self, envelopes: Sequence[Envelope]) -> list[Outcome]:
        """An outcome for each envelope; a call that ends without an answer is `Unknown` for all of its recipients."""
        return await calls.submit(
            envelopes, most=self.batch_size, alike=lambda envelope: envelope.text, call=self._call
        )

    def verify(self, hook: Hook) -> None:
        """Nothing to verify: the vendor signs nothing, and is known by the door's secret path."""

    def read(self, hook: Hook) -> Sequence[Receipt | Reply]:
        """What a delivery report, an incoming message or an opt-out says; raises `Malformed` for any other form.

        A change of a premium subscription says nothing, nor does a message from a sender without a number.
        """
        form = hook.form
        if "status" in form:
            return _receipts(form, hook.received_at)
        if {"from", "text"} <= form.keys():
            return _replies(form, hook.received_at)
        if "senderId" in form and writer(form.get("phoneNumber")):
            wish = Reply("sms", writer(form["phoneNumber"]), "", hook.received_at, to=form["senderId"], wish="opt_out")
            return [wish]
        if "updateType" in form:
            return []
        raise Malformed("it is no delivery report, no message and no opt-out")

    def answer(self, hook: Hook) -> Answer:
        """Nothing: the status alone says that it was taken."""
        return Answer()

    async def _call(self, envelopes: Sequence[Envelope], leaves_at: float) -> Sequence[Outcome] | calls.Refused:
        ours = {phone(envelope.to) for envelope in envelopes}
        heard = await self._web.call(
            "POST",
            self.url,
            not_before=leaves_at,
            is_ours=lambda heard: _recipients(heard).keys() <= ours,
            data=self._form(envelopes),
        )
        if not isinstance(heard, Heard):
            return calls.for_each(envelopes, heard)
        recipients = _recipients(heard)
        if not recipients:
            return calls.for_each(envelopes, _whole(heard))
        return [_outcome(recipients.get(phone(envelope.to))) for envelope in envelopes]

    def _form(self, envelopes: Sequence[Envelope]) -> dict[str, str]:
        return {
            "username": self.username,
            "to": ",".join(envelope.to for envelope in envelopes),
            "message": envelopes[0].text,
            "bulkSMSMode": "1",
            **({"from": self.sender} if self.sender else {}),
            **({"enqueue": "1"} if self.enqueue else {}),
        }


def _said(heard: Heard) -> Mapping[str, Any]:
    said = heard.json.get("SMSMessageData")
    return said if isinstance(said, dict) else {}


def _recipients(heard: Heard) -> dict[str, Mapping[str, Any]]:
    """What is said of each number, in whichever status the answer came: 406 and 409 were seen with it as well."""
    listed = _said(heard).get("Recipients")
    named = [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
    return {phone(each.get("number")): each for each in named}


def _outcome(recipient: Mapping[str, Any] | None) -> Outcome:
    if recipient is None:
        return Unknown("the answer leaves it out")
    written = str(recipient.get("statusCode", ""))
    code = int(written) if written.isascii() and written.isdecimal() and len(written) < 5 else 0
    if code in ACCEPTED:
        named = str(recipient.get("messageId") or "None")
        return Accepted("" if named == "None" else named)
    name, outcome = REFUSED.get(code, (shown(recipient.get("status")), Unknown))
    return outcome(f"{shown(written)} {name}")


def _whole(heard: Heard) -> Outcome | calls.Refused:
    """What an answer means that names no recipient."""
    message = str(_said(heard).get("Message", ""))
    outcome: Callable[[str], Outcome] | None = NAMES.get(message.casefold())
    if outcome is not None:
        means = outcome(message)
        return calls.Refused(means) if isinstance(means, GiveUp | OptedOut) else means
    if message and 200 <= heard.status < 300:
        return Unknown(f"HTTP {heard.status}, no recipients, {shown(message)}")
    return calls.by_status(heard)


def _receipts(form: Mapping[str, str], received_at: datetime) -> list[Receipt]:
    if not form.get("id"):
        raise Malformed("a delivery report without id")
    said = STATUSES.get(form["status"])
    if said is None:
        return []
    why = form.get("failureReason", "")
    report = partial(Receipt, said, received_at, provider_message_id=form["id"])
    if said != "failed":
        return [report()]
    error = f"{form['status']}, {shown(why)}" if why else form["status"]
    if _is_opt_out(why):
        return [report(error=error, opted_out=True, to=phone(form.get("phoneNumber", "")))]
    return [report(error=error)]


def _is_opt_out(why: str) -> bool:
    return why.casefold() == BLACKLISTED


def _replies(form: Mapping[str, str], received_at: datetime) -> list[Reply]:
    sender = writer(form["from"])
    if not sender:
        return []
    # 2026-11-25T08:00:00Z or 2026-11-25 08:00:00: nobody says which zone the second is in.
    at = written_at(form.get("date"), received_at)
    return [Reply("sms", sender, form["text"], at, form.get("id", ""), form.get("to", ""))]
