"""Log files of the children: kept whole in files, while warnings and worse are also shown at the terminal."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

LARGEST_BYTES = 10_000_000
# gunicorn's and Celery's own spelling.
_COMPLAINT = re.compile(r"\[(WARNING|ERROR|CRITICAL)|\b(WARNING|ERROR|CRITICAL)/")
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
        self._in_traceback = False

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
                if text := self._complaint(line.decode(errors="replace").rstrip()):
                    yield text

    def _complaint(self, line: str) -> str:
        """The line as it is shown at the terminal, or nothing when it is not a complaint."""
        if line.startswith("Traceback "):
            self._in_traceback = True
        elif line.startswith("{"):
            return _event(line)
        elif self._in_traceback and line and not line[0].isspace():
            self._in_traceback = False
            return line
        return line if _COMPLAINT.search(line) else ""

    def last_lines(self, count: int = 15) -> str:
        """The end of the log, for a person who has to see why something stopped."""
        with self.path.open("rb") as file:
            file.seek(max(0, self.path.stat().st_size - 20_000))
            return b"".join(file.readlines()[-count:]).decode(errors="replace").rstrip()


def _event(line: str) -> str:
    """A structured event in one readable line, when it is a warning or worse."""
    try:
        event = json.loads(line)
    except ValueError:
        return ""
    if event.get("level") not in _JSON_LEVELS:
        return ""
    last = str(event.get("exception", "")).rstrip().rpartition("\n")[2]
    return " ".join(filter(None, [event["level"], str(event.get("event", "")), last]))
