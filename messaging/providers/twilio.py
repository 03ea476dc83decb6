"""Twilio Programmable Messaging: SMS, and WhatsApp through the same call.

Facts read on 2026-11-25 in Twilio's OpenAPI description (2010-04-01) and its Python SDK 9.13. What is marked
"unverified" was found in no source of Twilio's own.
"""

import json
import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from hashlib import sha256
from hmac import compare_digest
from typing import ClassVar, Literal
from urllib.parse import parse_qsl, urlsplit

from messaging.providers import abreast
from messaging.providers.base import (
    Accepted,
    Answer,
    Capabilities,
    Envelope,
    Forged,
    GiveUp,
    Hook,
    Malformed,
    Outcome,
    Receipt,
    Reply,
    SlowDown,
    StopAll,
    TryLater,
    Unknown,
)
from messaging.providers.reading import phone, shown, signature
from messaging.providers.twilio_codes import CODES, SECONDS
from messaging.providers.web import Heard, Web, check_url, with_query

# Until a message is `sent`, Twilio has taken it: that is what `sent` means here, and it settles an unknown outcome.
STATUSES: dict[str, Literal["sent", "delivered", "read", "failed"]] = {
    "accepted": "sent", "queued": "sent", "sending": "sent", "sent": "sent", "partially_delivered": "sent",
    "delivered": "delivered", "read": "read", "undelivered": "failed", "failed": "failed", "canceled": "failed",
}  # fmt: skip
# What Advanced Opt-Out understood, and has then answered itself (Twilio's documentation of it; not seen at Twilio).
# Twilio's simpler handling of STOP, which every account begins with, says nothing of itself.
WISHES: dict[str, Literal["opt_out", "opt_in", "help"]] = {"STOP": "opt_out", "START": "opt_in", "HELP": "help"}
ACCOUNT_REFUSED = frozenset({401, 402, 403, 404})
UNAVAILABLE = 503
ALGORITHMS: dict[str, Literal["sha1", "sha256"]] = {"HMAC_SHA1": "sha1", "HMAC_SHA256": "sha256"}


class Twilio:
    """One account, sending from `sender` (a number, short code or name) or by `messaging_service_sid`.

    `auth_token` signs Twilio's requests to our door, and ours to Twilio unless an `api_key` with its `api_key_secret`
    does; `webhook_secret` is the shared key's where Twilio signs with one. `validity_seconds` is how long Twilio may
    keep a message. A template's name is its ContentSid. Raises `ValueError` with a sentence for wrong options.

    It cannot look up: Twilio keeps no reference of ours, and a list of messages by number and day does not tell one
    campaign's message from another's, or from a test. Receipts settle what is unknown: our reference stands in their
    URL.
    """

    LABEL = "Twilio"
    SECRETS = frozenset({"auth_token", "api_key_secret", "webhook_secret"})
    HELP: ClassVar[Mapping[str, str]] = {
        "account_sid": "AC and 32 hexadecimal digits, from the console.",
        "auth_token": "Signs what we send, and proves what Twilio sends us.",
        "api_key": "SK…: signs what we send instead of the auth token, with its secret. Receipts need the token.",
        "api_key_secret": "Of that key.",
        "sender": "The number, short code or name that people see; or else a messaging service.",
        "messaging_service_sid": "MG…: Twilio then chooses the number.",
        "webhook_secret": "Of the shared key, where Twilio signs with one; else leave it empty.",
        "validity_seconds": "1 to 36000: how long Twilio may keep a message; empty: as long as it likes.",
        "url": "Twilio's own, or another server for tests.",
    }

    def __init__(
        self,
        *,
        account_sid: str,
        auth_token: str = "",
        api_key: str = "",
        api_key_secret: str = "",
        sender: str = "",
        messaging_service_sid: str = "",
        webhook_secret: str = "",
        validity_seconds: int | None = None,
        url: str = "https://api.twilio.com",
        in_flight: int = 50,
        timeout_seconds: float = 20.0,
    ) -> None:
        _matches("account_sid", account_sid, r"AC[0-9a-f]{32}", "AC and 32 hexadecimal digits")
        if bool(api_key) != bool(api_key_secret) or not (auth_token or api_key):
            raise ValueError("give the auth_token, or the api_key with its api_key_secret, or all three")
        if bool(sender) == bool(messaging_service_sid):
            raise ValueError("give either the sender or the messaging_service_sid")
        if sender:
            _matches("sender", sender, r"\+?[0-9]{3,15}|[A-Za-z0-9 _-]{1,11}", "a number, a short code or a name")
        else:
            _matches("messaging_service_sid", messaging_service_sid, r"MG[0-9a-f]{32}", "MG and 32 hexadecimal digits")
        if validity_seconds is not None and not 1 <= validity_seconds <= 36_000:
            raise ValueError("validity_seconds must be 1 to 36000")
        on_whatsapp = bool(messaging_service_sid) or sender.startswith("+")
        self.capabilities = Capabilities(
            channels=frozenset({"sms", "whatsapp"} if on_whatsapp else {"sms"}),
            in_flight=in_flight,
            timeout_seconds=timeout_seconds,
            paces=True,
        )
        self.url = f"{check_url('url', url).rstrip('/')}/2010-04-01/Accounts/{account_sid}/Messages.json"
        self.sender, self.messaging_service_sid = sender, messaging_service_sid
        self.validity_seconds = validity_seconds
        self._auth_token, self._webhook_secret = auth_token, webhook_secret
        login = f"{api_key}:{api_key_secret}" if api_key else f"{account_sid}:{auth_token}"
        headers = {"Authorization": f"Basic {b64encode(login.encode()).decode()}"}
        self._web = Web(timeout_seconds=timeout_seconds, headers=headers)

    async def submit(self, envelopes: Sequence[Envelope]) -> list[Outcome]:
        """An outcome for each envelope, posted each at its time and none waiting for another."""
        return await abreast.each(envelopes, self._post)

    async def _post(self, envelope: Envelope) -> Outcome:
        if envelope.template and not re.fullmatch(r"HX[0-9a-f]{32}", envelope.template.name):
            return GiveUp("the template's name is not a ContentSid of Twilio's")
        heard = await self._web.call(
            "POST",
            self.url,
            not_before=envelope.not_before,
            # The last digits, because some countries' numbers are written with and without a digit before them.
            is_ours=lambda heard: str(heard.json.get("to") or envelope.to).endswith(envelope.to[-8:]),
            data=self._fields(envelope),
        )
        return _outcome(heard) if isinstance(heard, Heard) else heard

    def _fields(self, envelope: Envelope) -> dict[str, str]:
        channel = "whatsapp:" if envelope.channel == "whatsapp" else ""
        fields = {"To": f"{channel}{envelope.to}"}
        if self.sender:
            fields["From"] = f"{channel}{self.sender}"
        else:
            fields["MessagingServiceSid"] = self.messaging_service_sid
        if envelope.template:
            variables = dict(enumerate(envelope.template.variables, 1))
            fields |= {"ContentSid": envelope.template.name, "ContentVariables": json.dumps(variables)}
        else:
            fields["Body"] = envelope.text
        if envelope.receipt_url:
            fields["StatusCallback"] = with_query(envelope.receipt_url, reference=envelope.reference)
        if self.validity_seconds is not None:
            fields["ValidityPeriod"] = str(self.validity_seconds)
        return fields

    def verify(self, hook: Hook) -> None:
        """Raise `Forged` unless Twilio signed the URL and the body, with the auth token or the shared key."""
        algorithm = _algorithm(hook)
        secret = self._webhook_secret if algorithm == "sha256" else self._auth_token
        if not secret:
            raise Forged("this account has no auth_token or webhook_secret to know it by")
        given = hook.headers.get("x-twilio-signature", "")
        if not given:
            raise Forged("the signature is missing")
        signed = _signed_body(hook)
        # Twilio signs the URL now with its port and now without, whichever it called.
        rights = [signature(secret, f"{url}{signed}".encode(), algorithm=algorithm, encoding="base64")
                  for url in _with_and_without_port(hook.url)]  # fmt: skip
        if not any(compare_digest(given.encode(errors="replace"), right.encode()) for right in rights):
            raise Forged("the signature is wrong")

    def read(self, hook: Hook) -> Sequence[Receipt | Reply]:
        """A receipt or a reply; raises `Malformed`. Twilio tells no times: it is the time when it came."""
        fields = _said(hook)
        try:
            if status := fields.get("MessageStatus"):
                return _receipt(status, fields, hook)
            return _reply(fields, hook)
        except (KeyError, ValueError):
            raise Malformed("neither a receipt nor a reply can be found in it") from None

    def answer(self, hook: Hook) -> Answer:
        """No words to send back to whoever wrote."""
        return Answer("<Response/>", "text/xml")


def _matches(option: str, value: str, pattern: str, words: str) -> None:
    if not re.fullmatch(pattern, value, re.ASCII):
        raise ValueError(f"{option} must be {words}")


def _outcome(heard: Heard) -> Outcome:
    if heard.status in (200, 201):
        sid = heard.json.get("sid")
        # 201 is nobody's but Twilio's; a 200 that names nothing may be that of whatever stands between us.
        taken = isinstance(sid, str) or heard.status == 201
        return Accepted(sid if isinstance(sid, str) else "") if taken else Unknown("HTTP 200 without a message's sid")
    code = heard.json.get("code")
    error = f"HTTP {heard.status}" if code is None else _words(code)
    if heard.status == UNAVAILABLE:
        return TryLater(error)
    if not 400 <= heard.status < 500:
        return Unknown(error)
    known = CODES.get(code) if isinstance(code, int) else None
    if heard.status == 429 or (known and known[0] is SlowDown):
        return SlowDown(error, heard.retry_after if heard.retry_after is not None else SECONDS.get(code or 0))
    if known:
        return known[0](error)
    return StopAll(error) if heard.status in ACCOUNT_REFUSED else GiveUp(error)


def _words(code: object) -> str:
    known = CODES.get(int(str(code))) if str(code).isdecimal() else None
    return f"code {shown(code)}: {known[1]}" if known else f"code {shown(code)}"


def _said(hook: Hook) -> dict[str, str]:
    """The fields of its form; our number may be set up to call by GET, which carries them in the URL."""
    return {**hook.query, **(hook.form if hook.body else {})}


def _receipt(word: str, fields: dict[str, str], hook: Hook) -> list[Receipt]:
    status = STATUSES.get(word)
    if status is None:
        return []
    code = fields.get("ErrorCode", "") if status == "failed" else ""
    is_opt_out, to = code == "21610", fields.get("To", "")
    return [
        Receipt(
            status,
            hook.received_at,
            reference=hook.query.get("reference", ""),
            provider_message_id=fields.get("MessageSid", ""),
            error=_words(code) if code else (f"{word}, without a code" if status == "failed" else ""),
            opted_out=is_opt_out,
            to=phone(to.removeprefix("whatsapp:")) if is_opt_out else "",
            channel="whatsapp" if to.startswith("whatsapp:") else "sms",
        )
    ]


def _reply(fields: dict[str, str], hook: Hook) -> list[Reply]:
    whose = phone(fields["From"].removeprefix("whatsapp:"))
    if not whose:
        return []  # a short code, a name or a WhatsApp user without a number: nobody whom we could have written to
    return [
        Reply(
            "whatsapp" if fields["From"].startswith("whatsapp:") else "sms",
            whose,
            fields["Body"],
            hook.received_at,
            provider_message_id=fields["MessageSid"],
            to=fields["To"].removeprefix("whatsapp:"),
            wish=WISHES.get(fields.get("OptOutType", "").upper(), ""),
        )
    ]


def _algorithm(hook: Hook) -> Literal["sha1", "sha256"]:
    """SHA-1 with the auth token, unless a header says that a shared key signed, and how; raises `Forged`."""
    settings = hook.headers.get("x-twilio-webhooks-signature-settings", "")
    named = [value.strip() for name, _, value in (each.partition("=") for each in settings.split(","))
             if name.strip() == "algorithm"]  # fmt: skip
    try:
        return ALGORITHMS[named[0].upper() if named else "HMAC_SHA1"]
    except KeyError:
        raise Forged("the signature is of an algorithm that is not known") from None


def _signed_body(hook: Hook) -> str:
    """What stands behind the URL in the signed words: a form's fields in order; of anything else the URL has the hash.

    Raises `Forged` when that hash is missing or another one.
    """
    is_form = hook.headers.get("content-type", "").lower().startswith("application/x-www-form-urlencoded")
    if not hook.body:
        return ""
    if not is_form:
        if not compare_digest(hook.query.get("bodySHA256", "").encode(), sha256(hook.body).hexdigest().encode()):
            raise Forged("the URL does not carry the hash of the body")
        return ""
    try:
        fields = parse_qsl(hook.body.decode(), keep_blank_values=True, errors="strict", max_num_fields=1_000)
    except ValueError:
        raise Forged("the body is no urlencoded form in UTF-8") from None
    return "".join(f"{name}{value}" for name, value in sorted(set(fields)))


def _with_and_without_port(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        raise Forged("the URL cannot be read") from None
    host = parts.netloc.removesuffix(f":{port}")
    standard = 443 if parts.scheme == "https" else 80
    # Replaced where it stands: put together anew, an address may lose an empty query.
    return url.replace(parts.netloc, host, 1), url.replace(parts.netloc, f"{host}:{port or standard}", 1)
