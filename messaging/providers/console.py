"""A provider that prints what would go out, for development."""

import sys
from collections.abc import Sequence

from messaging.providers.base import Accepted, Capabilities, Envelope, Outcome


class Console:
    """Accepts everything and prints a line for each: the reference, the last four digits, and the text if asked to.

    The text is left out by default, because what a container prints is its log.
    """

    def __init__(self, *, show_text: bool = False) -> None:
        self.capabilities = Capabilities(in_flight=500)
        self.show_text = show_text

    async def submit(self, envelopes: Sequence[Envelope]) -> list[Outcome]:
        """`Accepted` for each envelope."""
        for envelope in envelopes:
            text = f": {envelope.text}" if self.show_text else ""
            sys.stdout.write(
                f"[{envelope.channel}] {envelope.reference} to …{envelope.to[-4:]}, {envelope.parts} part(s){text}\n"
            )
        sys.stdout.flush()
        return [Accepted(f"console-{envelope.reference}") for envelope in envelopes]
