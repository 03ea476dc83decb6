"""What every adapter must stand: its module of answers fills in these tables, and `test_exam.py` asks them all.

The questions stand in `questions.py` (what it submits) and `door_questions.py` (what comes to our door).

`tests/providers/answers/<adapter>.py` holds one `EXAM`. A test walks the adapters of `messaging/providers/` and fails
for one without it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from messaging.providers.base import Envelope, Hook, Outcome, Provider, Receipt, Reply


@dataclass(frozen=True)
class Said:
    """What the vendor's server answers to one request, and what that must mean for each envelope of the call.

    `body` may be a function of the request's text (its body, or its target where it has none), for vendors that repeat
    something of it. Bytes and strings are sent as they are, anything else as JSON. `error` must stand in the outcome's
    error, where it has one; the phone, the text and the `secrets` never may.
    """

    outcome: type[Outcome]
    status: int = 200
    body: Any | Callable[[str], Any] = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    error: str = ""


@dataclass(frozen=True)
class Heard:
    """A vendor's request to our door as it was recorded or documented, and what it says."""

    hook: Hook
    says: Sequence[Receipt | Reply]


@dataclass(frozen=True)
class Door:
    """The vendor's requests to our door. `receipts` and `replies` by a name for people; each must pass `verify`.

    `sign` gives a hook with this body what the vendor would sign it with; None when the vendor signs nothing. `unknown`
    is a receipt with a status that no table has: it says nothing. `malformed` bodies raise `Malformed`. `parts` are the
    receipts of one message that the vendor sends for each of its parts. `signs_url` says that the signature is over the
    URL too. `others` are what the vendor sends that is neither (a challenge, an opt-out told in its own way): they pass
    `verify`, and say what stands there.
    """

    receipts: Mapping[str, Heard]
    replies: Mapping[str, Heard]
    unknown: Hook
    malformed: Sequence[Hook]
    sign: Callable[[Hook], Hook] | None
    parts: Sequence[Heard] = ()
    signs_url: bool = False
    others: Mapping[str, Heard] = field(default_factory=dict)


@dataclass(frozen=True)
class Exam:
    """One adapter's tables. `make` makes it with the vendor's server at that URL, as an operator would configure it.

    `envelope` makes one with that reference that it takes; `wrong` are the codes of the vendor's table by name.
    `one_bad` answers a call of three envelopes of which the second one's number is bad; None for a vendor that takes
    one a call. `throttled_for` tells seven seconds, in the vendor's way; None where it has none. `secrets` are what
    `make` gave as credentials: no error may hold one. `another` is the answer to another message, where the vendor's
    answers name theirs: it says nothing of ours.
    """

    make: Callable[[str], Provider]
    envelope: Callable[[str], Envelope]
    accepted: Said
    accepted_id: str
    wrong: Mapping[str, Said]
    throttled: Said
    throttled_for: Said | None
    server_error: Said
    garbage: Said
    unknown_code: Said
    wrong_credentials: Said
    one_bad: Said | None
    door: Door | None
    secrets: Sequence[str] = ()
    another: Said | None = None
