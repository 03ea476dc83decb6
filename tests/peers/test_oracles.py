"""Twilio's SDK and pywa judge signatures as our adapters do, on requests nobody chose."""

import hashlib
import hmac
import json
import random
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from messaging.providers.base import Forged, Hears, Hook
from messaging.providers.twilio import Twilio
from messaging.providers.whatsapp_cloud import WhatsAppCloud
from tests.peers.conftest import peer

pytestmark = pytest.mark.peers
NOW = datetime(2026, 11, 25, 8, 0, tzinfo=UTC)
TOKEN, SHARED, OTHER = "the-auth-token", "the-shared-key", "another-secret"
FORM = {"content-type": "application/x-www-form-urlencoded; charset=UTF-8"}
LETTERS = "aZ09 +&=%/?#é☺😀\u200f\n\"'"
REQUESTS = 400


def ask(questions: Sequence[dict[str, Any]]) -> list[Any]:
    """The oracles' answers, one each."""
    python = peer("python") / "venv" / "bin" / "python"
    asked = "".join(json.dumps(question) + "\n" for question in questions)
    done = subprocess.run(
        [str(python), str(Path(__file__).with_name("oracles.py"))],
        input=asked, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


def accepts(adapter: Hears, hook: Hook) -> bool:
    try:
        adapter.verify(hook)
    except Forged:
        return False
    return True


def words(dice: random.Random, most: int = 12) -> str:
    return "".join(dice.choices(LETTERS, k=dice.randrange(most)))


@dataclass(frozen=True)
class Case:
    """One request, as the oracle is asked about it; `fields` of a form, else the `body` that is none."""

    url: str
    algorithm: str
    fields: tuple[tuple[str, str], ...] = ()
    body: str | None = None
    secret: str = ""
    signature: str = ""

    @property
    def question(self) -> dict[str, Any]:
        said: dict[str, Any] = {"fields": self.fields} if self.body is None else {"body": self.body}
        if self.signature:
            said["signature"] = self.signature
        return {"vendor": "twilio", "secret": self.secret, "url": self.url, "algorithm": self.algorithm} | said

    @property
    def hook(self) -> Hook:
        is_form = self.body is None
        headers = {**(FORM if is_form else {"content-type": "application/json"}), "x-twilio-signature": self.signature}
        if self.algorithm == "HMAC_SHA256":
            headers["x-twilio-webhooks-signature-settings"] = "key=main,algorithm=HMAC_SHA256"
        return Hook("POST", self.url, headers, (urlencode(self.fields) if is_form else self.body or "").encode(), NOW)


def twilio_cases(dice: random.Random) -> list[Case]:
    """Requests to URLs with and without a port and a query, forms with repeated names, and JSON."""
    cases = []
    for _ in range(REQUESTS):
        port, query = dice.choice(["", ":443", ":8443"]), urlencode([("reference", str(dice.randrange(10**9)))])
        url = f"https://clarion.example{port}/hooks/twilio/s3cret?{query}"
        algorithm = dice.choice(["HMAC_SHA1", "HMAC_SHA256"])
        secret = SHARED if algorithm == "HMAC_SHA256" else TOKEN
        if dice.random() < 0.3:
            body = json.dumps({"MessageStatus": words(dice) or "x"}, ensure_ascii=dice.random() < 0.5)
            url += f"&bodySHA256={hashlib.sha256(body.encode()).hexdigest()}"
            cases.append(Case(url, algorithm, body=body, secret=secret))
        else:
            names = ["From", "Body", "To", "b", words(dice, 4) or "z"]
            fields = tuple((dice.choice(names), words(dice)) for _ in range(dice.randrange(1, 7)))
            cases.append(Case(url, algorithm, fields, secret=secret))
    return cases


def forgeries(case: Case, dice: random.Random) -> list[Case]:
    """The same with something of it changed; not each is a forgery, a port that is left out is none."""
    changed = [
        replace(case, url=case.url.replace("reference=", "reference=9")),
        replace(case, url=case.url.replace(":8443", "").replace(":443", "")),
        replace(case, url=case.url.replace("clarion.example/", "clarion.example:443/")),
        replace(case, signature=case.signature[:-2] + ("A" if case.signature[-2] != "A" else "B") + "="),
        replace(case, algorithm="HMAC_SHA1" if case.algorithm == "HMAC_SHA256" else "HMAC_SHA256"),
    ]
    if case.body is not None:
        return [*changed, replace(case, body=case.body + " ")]
    name, value = dice.choice(case.fields)
    return [*changed, replace(case, fields=(*case.fields, (name, value + "x"))), replace(case, fields=case.fields[1:])]


def test_twilios_validator_and_ours_judge_alike() -> None:
    dice = random.Random(4)
    adapter = Twilio(account_sid=f"AC{'0' * 32}", auth_token=TOKEN, sender="+15005550006", webhook_secret=SHARED)
    cases = twilio_cases(dice)
    signed = [
        replace(case, signature=right) for case, right in zip(cases, ask([c.question for c in cases]), strict=True)
    ]
    asked = [*signed, *(forged for case in signed for forged in forgeries(case, dice))]
    # Ours takes the secret from the algorithm that the request names.
    asked = [replace(case, secret=SHARED if case.algorithm == "HMAC_SHA256" else TOKEN) for case in asked]
    theirs = ask([case.question for case in asked])
    differ = [case for case, right in zip(asked, theirs, strict=True) if accepts(adapter, case.hook) is not right]
    assert not differ, f"{len(differ)} of {len(asked)}: {differ[:3]}"
    assert all(theirs[: len(signed)])
    assert theirs.count(False) > 3 * REQUESTS, "most of the others are forged"


def test_pywas_validator_and_ours_judge_alike() -> None:
    dice = random.Random(4)
    adapter = WhatsAppCloud(phone_number_id="10" * 5, access_token="t", app_secret=TOKEN)
    asked: list[tuple[str, str]] = []
    for _ in range(REQUESTS):
        body = json.dumps({"object": words(dice, 40)}, ensure_ascii=dice.random() < 0.5)
        right = "sha256=" + hmac.new(TOKEN.encode(), body.encode(), hashlib.sha256).hexdigest()
        wrong = "sha256=" + hmac.new(OTHER.encode(), body.encode(), hashlib.sha256).hexdigest()
        asked += [
            (body, right),
            (body + " ", right),
            (body, wrong),
            (body, right[:-1] + ("0" if right[-1] != "0" else "1")),
        ]
    theirs = ask([{"vendor": "meta", "secret": TOKEN, "body": body, "signature": given} for body, given in asked])
    ours = [
        accepts(adapter, Hook("POST", "https://x", {"x-hub-signature-256": given}, body.encode(), NOW))
        for body, given in asked
    ]
    assert ours == theirs
    assert ours.count(True) == REQUESTS
