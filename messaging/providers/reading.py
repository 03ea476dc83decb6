"""What adapters share to read what a vendor says: its JSON, times, phones, codes, signatures. All of it pure."""

import hmac
import re
from base64 import b64encode
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from messaging.providers.base import Forged, Malformed

# No vendor's code is longer, and none has a phone's run of digits: what has may be one.
_CODE = re.compile(r"[\w.:/-]{1,40}", re.ASCII)
_LIKE_A_PHONE = re.compile(r"[0-9]{7}")
_AT_HOME = re.compile(r"0[1-9][0-9]{6,13}", re.ASCII)
_BETWEEN = re.compile(r"[\s().-]")
_DIGITS = re.compile(r"\+?([1-9][0-9]{6,14})", re.ASCII)
# Above this a number of seconds lies beyond the year 5000, so it counts milliseconds.
_MILLISECONDS = 100_000_000_000


def dig(value: Any, path: str) -> Any:
    """What stands at `path`, such as `messages.0.id`, in this JSON; None where nothing does. An empty path is all."""
    for step in path.split(".") if path else ():
        if isinstance(value, Mapping):
            value = value.get(step)
        elif isinstance(value, list) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value


def spelt(word: Any) -> str:
    """A word of a vendor's JSON as JSON spells it, which is how tables name it."""
    return str(word).lower() if isinstance(word, bool) else str(word)


def shown(code: Any) -> str:
    """A vendor's code as it wrote it; what may hold a text or a phone is not repeated."""
    text = str(code)
    return text if _CODE.fullmatch(text) and not _LIKE_A_PHONE.search(text) else "that cannot be shown"


def moment(value: Any, otherwise: datetime) -> datetime:
    """The time of an ISO 8601 string or a Unix time in seconds or milliseconds; `otherwise` when there is none.

    One without offset is taken for UTC. Raises `Malformed` for what is no time.
    """
    if value is None or value == "":
        return otherwise
    try:
        text = str(value)
        if (isinstance(value, int | float) and not isinstance(value, bool)) or (text.isascii() and text.isdecimal()):
            seconds = float(value)
            return datetime.fromtimestamp(seconds / 1000 if seconds > _MILLISECONDS else seconds, UTC)
        read = datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError):
        raise Malformed("a time cannot be read") from None
    return read if read.utcoffset() is not None else read.replace(tzinfo=UTC)


def written_at(value: Any, received_at: datetime) -> datetime:
    """As `moment`, of a reply: it may be a STOP, and none is refused for a time that cannot be read. What would lie
    ahead of us, since nobody says its zone, is taken for now.
    """
    try:
        return min(moment(value, received_at), received_at)
    except Malformed:
        return received_at


def phone(value: Any) -> str:
    """A vendor's number, with or without its plus, in E.164; empty for what is no phone, such as a sender's name."""
    found = _DIGITS.fullmatch(str(value).strip())
    return f"+{found[1]}" if found else ""


def writer(value: Any) -> str:
    """As `phone`, of somebody who wrote by a carrier that has no one way to write numbers: with 00 for the plus, blanks
    and dashes, or as it is dialled at home, which is left as it is.
    """
    text = _BETWEEN.sub("", str(value))
    return text if _AT_HOME.fullmatch(text) else phone(text.removeprefix("00"))


def signature(
    secret: str,
    signed: bytes,
    *,
    algorithm: Literal["sha1", "sha256", "sha512"] = "sha256",
    encoding: Literal["hex", "base64"] = "hex",
) -> str:
    """The HMAC (RFC 2104) of these bytes."""
    mac = hmac.digest(secret.encode(), signed, algorithm)
    return mac.hex() if encoding == "hex" else b64encode(mac).decode()


def compare(given: str, right: str) -> None:
    """Raise `Forged` unless the signature is the right one; takes as long whatever is wrong with it."""
    if not given:
        raise Forged("the signature is missing")
    if not hmac.compare_digest(given.encode(errors="replace"), right.encode()):
        raise Forged("the signature is wrong")
