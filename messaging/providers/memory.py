"""A provider that keeps what it is given in this process's memory, for tests."""

from collections.abc import Callable, Sequence

from messaging.providers.base import Accepted, Capabilities, Envelope, Outcome


def accept(envelope: Envelope) -> Outcome:
    """The answer of a provider that takes everything."""
    return Accepted(f"memory-{envelope.reference}")


class Memory:
    """Puts each envelope in `outbox` and answers what `answer` says, which a test may replace."""

    def __init__(self, *, in_flight: int = 500, timeout_seconds: float = 20.0) -> None:
        self.capabilities = Capabilities(in_flight=in_flight, timeout_seconds=timeout_seconds)
        self.outbox: list[Envelope] = []
        self.answer: Callable[[Envelope], Outcome] = accept

    def clear(self) -> None:
        """Empty the outbox and accept everything again."""
        self.outbox.clear()
        self.answer = accept

    async def submit(self, envelopes: Sequence[Envelope]) -> list[Outcome]:
        """What `answer` says of each envelope."""
        self.outbox.extend(envelopes)
        return [self.answer(envelope) for envelope in envelopes]
