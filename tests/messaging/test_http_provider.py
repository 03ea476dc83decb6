"""The adapter that posts JSON, against a server that answers a request twice."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence

from messaging.providers.base import Accepted, Envelope, Outcome, Unknown
from messaging.providers.http import Http

Answer = Callable[[str, asyncio.StreamWriter], Awaitable[None]]


def envelope(reference: str) -> Envelope:
    return Envelope(reference, "sms", "+254710000000", "Hi")


def write(writer: asyncio.StreamWriter, status: str, reference: str) -> None:
    """One whole answer that names a message."""
    body = json.dumps({"id": f"theirs-{reference}", "reference": reference})
    writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())


def submit_one_by_one(answer: Answer, references: Sequence[str]) -> list[Outcome]:
    """The outcomes of these messages, each posted when the one before has its answer and a moment has passed."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = int(head.lower().split(b"content-length:")[1].split()[0])
                await answer(json.loads(await reader.readexactly(length))["reference"], writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def post() -> list[Outcome]:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        provider = Http(url=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", timeout_seconds=5)
        outcomes = []
        for reference in references:
            outcomes += await provider.submit([envelope(reference)])
            await asyncio.sleep(0.1)
        await provider._web.close()
        server.close()
        return outcomes

    return asyncio.run(post())


def test_a_second_answer_that_comes_late_is_never_taken_for_that_of_the_next_message() -> None:
    async def answer(reference: str, writer: asyncio.StreamWriter) -> None:
        # The second and third are throttled: an answer too many would say that the second was accepted.
        write(writer, "200 OK" if reference in {"1", "4"} else "429 Too Many Requests", reference)
        if reference == "1":
            await writer.drain()
            await asyncio.sleep(0.05)
            write(writer, "200 OK", reference)

    first, second, third, fourth = submit_one_by_one(answer, ["1", "2", "3", "4"])
    assert first == Accepted("theirs-1")
    assert second == Unknown("the answer names another message")
    assert type(third).__name__ == "SlowDown", "a new connection is in step again"
    assert fourth == Accepted("theirs-4")


def test_an_answer_that_names_no_message_is_taken_for_what_it_says() -> None:
    async def answer(reference: str, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\n{}")

    assert submit_one_by_one(answer, ["1", "2"]) == [Accepted(""), Accepted("")]


def test_a_redirect_is_no_answer_and_is_not_followed() -> None:
    asked: list[str] = []

    async def answer(reference: str, writer: asyncio.StreamWriter) -> None:
        asked.append(reference)
        writer.write(b"HTTP/1.1 302 Found\r\nLocation: /maintenance\r\nContent-Length: 0\r\n\r\n")

    assert submit_one_by_one(answer, ["1"]) == [Unknown("HTTP 302")]
    assert asked == ["1"]
