"""Log files of the children: kept whole in files, while warnings and worse are also shown at the terminal."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

LARGEST_BYTES = 10_000_000
# gunicorn's and Celery's own spelling, PostgreSQL's, and Python's when a process ends by an exception.
_COMPLAINT = re.compile(
    rb"\[(WARNING|ERROR|CRITICAL)|WARNING/|ERROR/|CRITICAL/|\b(FATAL|PANIC): |^\w[\w.]*(Error|Exception)\b"
)
_JSON_LEVELS = {"warning", "error", "critical"}


class Log:
    """One child's log file; what a former run wrote stays, in `NAME.log.1` once it is large."""

    def __init__(self, path: Path, *, quiet: bool = False) -> None:
        """A `quiet` log is never shown: the servers' warnings concern machines larger than a developer's."""
        self.path = path
        self.quiet = quiet
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and path.stat().st_size > LARGEST_BYTES:
            path.replace(path.with_suffix(".log.1"))
        path.touch()
        self._read = path.stat().st_size

    def complaints(self) -> Iterator[str]:
        """The warnings and errors written since the last call, one line each."""
        if self.quiet or self.path.stat().st_size == self._read:
            return
        with self.path.open("rb") as file:
            file.seek(self._read)
            for line in file:
                if not line.endswith(b"\n"):  # the rest of it is still being written
                    break
                self._read += len(line)
                if text := _complaint(line):
                    yield text

    def last_lines(self, count: int = 15) -> str:
        """The end of the log, for a person who has to see why something stopped."""
        with self.path.open("rb") as file:
            file.seek(max(0, self.path.stat().st_size - 20_000))
            return b"".join(file.readlines()[-count:]).decode(errors="replace").rstrip()


def _complaint(line: bytes) -> str:
    """The line as it is shown at the terminal, or nothing when it is not a complaint."""
    text = line.decode(errors="replace").rstrip()
    if not text.startswith("{"):
        return text if _COMPLAINT.search(line) else ""
    try:
        event = json.loads(text)
    except ValueError:
        return ""
    if event.get("level") not in _JSON_LEVELS:
        return ""
    last = str(event.get("exception", "")).rstrip().rpartition("\n")[2]
    return " ".join(filter(None, [event["level"], str(event.get("event", "")), last]))
