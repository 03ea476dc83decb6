"""What the vendors' own SDKs say of signatures; runs in the Python that has them, a line of JSON in and one out.

A line is {"vendor", "secret", "url", "fields" or "body", "signature", "algorithm"}; without a signature the answer is
the right one, with one it is whether that is right.
"""

import json
import sys
from collections.abc import Sequence
from typing import Any


class Fields(dict[str, list[str]]):
    """Repeated names, as Twilio's SDK knows them from Django."""

    def getlist(self, name: str) -> Sequence[str]:
        """All values of that name."""
        return self[name]


def twilio(asked: dict[str, Any]) -> Any:
    """By Twilio's RequestValidator."""
    from twilio.request_validator import RequestValidator  # type: ignore[import-not-found, unused-ignore]

    validator = RequestValidator(asked["secret"])
    fields = Fields()
    for name, value in asked.get("fields") or ():
        fields.setdefault(name, []).append(value)
    said = asked.get("body", fields)
    if "signature" not in asked:
        signed = {} if "body" in asked else fields
        return validator.compute_signature(asked["url"], signed, asked["algorithm"])
    return validator.validate(asked["url"], said, asked["signature"], asked["algorithm"])


def meta(asked: dict[str, Any]) -> Any:
    """By pywa's validator, which only judges."""
    from pywa.utils import webhook_updates_validator  # type: ignore[import-not-found, unused-ignore]

    return webhook_updates_validator(asked["secret"], asked["body"].encode(), asked["signature"])


if __name__ == "__main__":
    for line in sys.stdin:
        question = json.loads(line)
        print(json.dumps({"twilio": twilio, "meta": meta}[question["vendor"]](question)))
