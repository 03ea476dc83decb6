"""The smallest HTTP server that two clients can be compared by: `python -m benchmarks.server`.

It accepts every POST, listens on a free port of 127.0.0.1 and writes the number into the file that BENCH_READY names.
"""

import asyncio
import os
import re
from pathlib import Path

BODY = b'{"id": "bench"}'
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY)
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class Accepting(asyncio.Protocol):
    """Answers each request as soon as its body is there."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin with nothing read."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101
        self._transport, self._read = transport, b""

    def data_received(self, data: bytes) -> None:
        """Answer what is complete."""
        self._read += data
        while (size := _size(self._read)) and size <= len(self._read):
            self._read = self._read[size:]
            self._transport.write(ANSWER)


def _size(read: bytes) -> int | None:
    """The bytes of the first request, head and body; None while its head is not complete."""
    head = read.find(b"\r\n\r\n")
    if head < 0:
        return None
    length = _LENGTH.search(read, 0, head + 2)
    return head + 4 + (int(length[1]) if length else 0)


async def main() -> None:
    """Serve until we are ended."""
    server = await asyncio.get_running_loop().create_server(Accepting, "127.0.0.1", 0)
    ready = Path(os.environ["BENCH_READY"])
    fresh = ready.with_suffix(".new")
    fresh.write_text(str(server.sockets[0].getsockname()[1]))
    fresh.rename(ready)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
