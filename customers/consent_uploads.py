"""Lists of numbers that come in by the admin: rehearsed when they are uploaded, imported once when that is confirmed.

The list waits in the database, so that whichever web process is asked has it. Its content goes when it is imported, all
of it after a day.
"""

from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any

import structlog
from django.core.exceptions import ValidationError
from django.db.models.functions import Now

from customers import consent_import
from customers.columns import UnusableHeader
from customers.models import Channel, ConsentState, ConsentUpload
from customers.reading import Unreadable

log = structlog.get_logger(__name__)

# 370,000 lines of bare numbers: checked in 15 s and imported in 18 s on two shared cores; most proxies wait for 60.
LARGEST_BYTES = 5 * 1024 * 1024
KEPT = timedelta(days=1)


def check(file: IO[bytes], *, name: str, by: int, **asked: Any) -> ConsentUpload:
    """Keep the list with what an import would do; `asked` are state, channel, note and region, `by` a user's id.

    Adds nothing to the ledger. Raises `ValidationError` when it cannot be read.
    """
    upload = ConsentUpload(user_id=by, name=name[:200], content=file.read(), **asked)
    try:
        _run(upload, dry_run=True)
    except (Unreadable, UnusableHeader) as mistake:
        raise ValidationError(str(mistake)) from mistake
    upload.save()
    return upload


def carry_out(upload: ConsentUpload) -> bool:
    """Import the list; false when that was begun before, so that of two clicks one does it.

    The ledger is written slice by slice. Cut off in the middle it is never begun again: what was written stays, and
    whoever uploads the list anew has the rest imported, and with `at` nothing of it twice.
    """
    if not ConsentUpload.objects.filter(pk=upload.pk, begun_at=None).update(begun_at=Now()):
        return False
    _run(upload, dry_run=False)
    ConsentUpload.objects.filter(pk=upload.pk).update(
        outcome=upload.outcome, refusals=upload.refusals, content=b"", done_at=Now()
    )
    log.info("consent_imported", upload=upload.pk, user=upload.user_id, **upload.outcome)
    return True


def forget_old() -> int:
    """Delete lists older than a day, imported or not; how many went. May be repeated, and run by several at once."""
    return ConsentUpload.objects.filter(created_at__lt=Now() - KEPT).delete()[0]


def _run(upload: ConsentUpload, *, dry_run: bool) -> None:
    """Import or rehearse it, and note on `upload` what came of it."""
    with TemporaryDirectory(prefix="consent-") as folder:
        path, refused = Path(folder) / "list", Path(folder) / "refused.csv"
        path.write_bytes(upload.content)
        try:
            summary = consent_import.import_file(
                path, state=ConsentState(upload.state), channel=Channel(upload.channel), region=upload.region,
                refusals=refused, by=upload.user_id, note=upload.note, dry_run=dry_run,
            )  # fmt: skip
        except Unreadable as mistake:
            raise Unreadable(str(mistake).replace(str(path), upload.name)) from mistake
        upload.refusals = refused.read_bytes() if summary.refusals else b""
    upload.outcome = {name: getattr(summary, name) for name in ("records", "added", "known", "refused")}
